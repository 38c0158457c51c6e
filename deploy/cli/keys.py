"""`amply ledger rotate-key`: a new key for the log."""

import asyncio
from pathlib import Path
from typing import Annotated, Any

import asyncpg
import typer
from aiokafka.errors import KafkaError

from deploy.cli.console import DATA_DEFAULT, DataOption, console, environment, fail, setting
from deploy.deployment import ORIGIN, DataDirectory
from deploy.key_rotation import KeyFile, RotationError, rotate
from ledger.checkpoint import KeyChange
from ledger.key_file import KeyFileError
from topics.publisher import PublishUncertainError

LOG = 0
OVERLAP_DEFAULT = 10_000


def rotate_key(
    overlap: Annotated[
        int,
        typer.Option(min=0, help="Both keys sign so many entries more; 0 ends the old one now."),
    ] = OVERLAP_DEFAULT,
    data: DataOption = DATA_DEFAULT,
) -> None:
    """Draw a new key, announce it in the log; repeat the command if it was cut off."""
    values = environment(data)
    try:
        change = asyncio.run(_rotate(values, _key_file(values, data), overlap))
    except (KeyFileError, RotationError) as error:
        fail(str(error))
    except PublishUncertainError:
        fail("Kafka did not answer: call again, the same key is used")
    except (OSError, asyncpg.PostgresError, KafkaError) as error:
        fail(f"{type(error).__name__}: {error}")
    console.print(f"recorded at index {change.at}", markup=False)
    console.print(f"old key {change.old}", markup=False, soft_wrap=True)
    console.print(f"new key {change.new}", markup=False, soft_wrap=True)
    console.print(f"the old key signs checkpoints below size {change.until}", markup=False)


def _key_file(values: dict[str, str], data: Path) -> KeyFile:
    """The deployment's, unless the environment names another."""
    keys = DataDirectory(data.absolute()).keys
    passphrase = Path(values.get("AMPLY_LOG_PASSPHRASE") or keys / "log-0.passphrase")
    return KeyFile(
        Path(values.get("AMPLY_LOG_KEY") or keys / "log-0.key"),
        passphrase.read_bytes().rstrip(b"\r\n"),
        values.get("AMPLY_LOG_ORIGIN") or ORIGIN,
    )


async def _rotate(values: dict[str, str], file: KeyFile, overlap: int) -> KeyChange:
    connection: Any = await asyncpg.connect(setting(values, "AMPLY_POSTGRES"))
    try:
        return await rotate(connection, setting(values, "AMPLY_KAFKA"), file, LOG, overlap)
    finally:
        await connection.close()
