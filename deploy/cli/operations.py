"""`amply status`, `amply replay`, `amply dead-letters`: for the person on call."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

import aiohttp
import asyncpg
import typer
from aiokafka.errors import KafkaError
from rich.table import Table

from deploy.cli.console import DATA_DEFAULT, DataOption, console, environment, fail, setting
from deploy.operations import store
from topics import dead_letters as letters
from topics.replay import Replayed, ReplayRefusedError, Stretch
from topics.replay import replay as run_replay

T = TypeVar("T")
KEYS_SHOWN_MAX = 10

dead_letters = typer.Typer(
    help="Messages that were set aside: list, show, release.", no_args_is_help=True
)


def status(data: DataOption = DATA_DEFAULT) -> None:
    """Show every process, the outbox, what was set aside, and the newest checkpoint."""
    values = environment(data)
    path = data / "processes.json"
    addresses: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    if not addresses:
        fail(f"no platform was started on {data}", 2)
    ready = asyncio.run(_ready(addresses))
    table = Table("process", "ready")
    for name, answer in ready.items():
        table.add_row(name, answer)
    console.print(table)
    figures = _with_database(setting(values, "AMPLY_POSTGRES"), store.figures)
    for name, value in figures.items():
        console.print(f"{name}: {value}", markup=False)
    if any(answer != "yes" for answer in ready.values()):
        raise typer.Exit(1)


async def _ready(addresses: dict[str, str]) -> dict[str, str]:
    timeout = aiohttp.ClientTimeout(total=3)
    async with aiohttp.ClientSession(timeout=timeout) as session:

        async def ask(url: str) -> str:
            try:
                async with session.get(url) as response:
                    text = (await response.text())[:200]
                    return "yes" if response.status == 200 else f"no: {text}"
            except (aiohttp.ClientError, TimeoutError) as error:
                return f"no answer ({type(error).__name__})"

        answers = await asyncio.gather(*(ask(url) for url in addresses.values()))
    return dict(zip(addresses, answers, strict=True))


def replay(
    topic: Annotated[str, typer.Argument(help="For instance payments.captured.v1.")],
    start: Annotated[str, typer.Option("--from", help="ISO 8601 time with offset, included.")],
    end: Annotated[str | None, typer.Option("--to", help="Excluded; default now.")] = None,
    partition: Annotated[int | None, typer.Option(help="Only this partition.")] = None,
    rate: Annotated[float, typer.Option(help="Messages a second at most.")] = 1000.0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count.")] = False,
    data: DataOption = DATA_DEFAULT,
) -> None:
    """Publish a stretch of a topic again, under its own ids; workers skip what they handled."""
    bootstrap = setting(environment(data), "AMPLY_KAFKA")
    try:
        stretch = Stretch(
            topic=topic,
            start=_time(start),
            end=_time(end) if end else datetime.now(UTC),
            partition=partition,
        )
        result = asyncio.run(run_replay(bootstrap, stretch, dry_run=dry_run, rate_per_s=rate))
    except ReplayRefusedError as error:
        fail(str(error), 2)
    except (KafkaError, OSError) as error:
        fail(f"Kafka at {bootstrap} does not answer: {type(error).__name__}")
    _show(result)


def _time(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        fail(f"{text!r} is not a time such as 2026-05-01T00:00:00Z", 2)


def _show(result: Replayed) -> None:
    verb = "would be sent" if result.dry_run else "sent"
    count = sum(result.by_type.values())
    console.print(f"{result.read} read, {count} {verb}, x-replay-id {result.replay_id}")
    for name, number in (
        ("repeats of an id, left out", result.repeated),
        ("not ours or unreadable, left out", result.unreadable),
        ("older than the inbox remembers, left out", result.expired),
    ):
        if number:
            console.print(f"{number} {name}")
    for key, number in result.by_key.most_common(KEYS_SHOWN_MAX):
        console.print(f"  {number:>6}  {key}", markup=False)


@dead_letters.command("list")
def list_set_aside(
    worker: Annotated[str | None, typer.Option(help="Only this worker's.")] = None,
    limit: Annotated[int, typer.Option(help="Rows at most.")] = 100,
    data: DataOption = DATA_DEFAULT,
) -> None:
    """What was set aside, oldest first, with its reason."""
    dsn = setting(environment(data), "AMPLY_POSTGRES")
    rows = _with_database(
        dsn, lambda connection: letters.find(connection, worker=worker, limit=limit)
    )
    table = Table("id", "worker", "topic", "disposition", "since", "code", "reason")
    for row in rows:
        since = row.set_aside_at.isoformat(timespec="seconds")
        columns = (row.worker, row.delivery.topic, row.disposition, since, row.code, row.reason)
        table.add_row(str(row.position), *columns)
    console.print(table if rows else "nothing is set aside")


@dead_letters.command("show")
def show(
    position: Annotated[int, typer.Argument(help="The id that `list` shows.")],
    data: DataOption = DATA_DEFAULT,
) -> None:
    """One message with its headers and value. Personal parts are ciphertext."""
    dsn = setting(environment(data), "AMPLY_POSTGRES")
    row = _with_database(dsn, lambda connection: letters.inspect(connection, position))
    if row is None:
        fail(f"nothing is set aside under {position}")
    delivery = row.delivery
    console.print(f"{row.disposition} by {row.worker}: {row.code}: {row.reason}", markup=False)
    console.print(f"{delivery.topic}[{delivery.partition}]@{delivery.offset}", markup=False)
    for name, value in delivery.headers:
        console.print(f"{name}: {value!r}", markup=False)
    console.print((delivery.value or b"").decode("utf-8", "backslashreplace"), markup=False)


@dead_letters.command("release")
def release(
    positions: Annotated[list[int], typer.Argument(help="Ids that `list` shows.")],
    data: DataOption = DATA_DEFAULT,
) -> None:
    """Have the worker handle them again now."""
    dsn = setting(environment(data), "AMPLY_POSTGRES")
    count = _with_database(dsn, lambda connection: letters.release(connection, positions))
    console.print(f"{count} of {len(positions)} will be handled again")
    if count < len(positions):
        raise typer.Exit(1)


def _with_database(dsn: str, work: Callable[[Any], Awaitable[T]]) -> T:
    async def run() -> T:
        connection = await asyncpg.connect(dsn)
        try:
            return await work(connection)
        finally:
            await connection.close()

    try:
        return asyncio.run(run())
    except (OSError, asyncpg.PostgresError) as error:
        fail(f"PostgreSQL does not answer: {type(error).__name__}")
