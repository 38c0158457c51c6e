"""A change of the log's key, on real processes: who signs when, and what verifiers make of it."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from amply_verify.errors import NoteError
from amply_verify.note import Signer, open_checkpoint, parse_verifier_key
from deploy.key_rotation import RotationError, draw
from ledger.checkpoint import KeyChange
from ledger.entry import Request
from tests.ledger.database import until
from tests.ledger.making import ORIGIN, name
from tests.workers.checkpoints.test_publisher import PLATFORM, grow
from tests.workers.ledger_stand import Stand, genesis

OLD = str(Signer(ORIGIN, bytes([7]) * 32).key)


def announced(old: str, new: str, until_size: int) -> Request:
    details = {"from": old, "to": new, "until": until_size}
    return Request(
        id=name("ent", f"{old} to {new}"),
        organization=PLATFORM,
        kind="key_change",
        visibility="public_full",
        public_after=None,
        ref=None,
        subject=None,
        postings=None,
        details=details,
        donor=None,
    )


def signers(note: str, *keys: str) -> list[str]:
    """Which of these keys signed a note, in their order."""
    found = []
    for key in keys:
        try:
            open_checkpoint(note, parse_verifier_key(key))
        except NoteError as error:
            assert "not signed by" in str(error)
        else:
            found.append(key)
    return found


async def note_at(stand: Stand, size: int) -> str:
    await stand.published(size)
    return str(
        await stand.database.value("SELECT note FROM ledger.checkpoints WHERE size = $1", size)
    )


async def run(*arguments: str, **environment: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=os.environ | environment,
    )
    output, _ = await process.communicate()
    return int(process.returncode or 0), output.decode()


async def verify(folder: Path, key: str, *more: str) -> tuple[int, str]:
    return await run("-m", "amply_verify", "log", str(folder), "--key", key, *more)


async def rotate_key(stand: Stand, *options: str) -> tuple[int, str]:
    """The command, as an operator gives it on a data directory."""
    keys = stand.scratch / "data" / "keys"
    keys.mkdir(parents=True, exist_ok=True)
    (keys / "log-0.passphrase").write_bytes((stand.scratch / "passphrase").read_bytes())
    return await run(
        *("-c", "from deploy.cli import main; main()", "ledger", "rotate-key", *options),
        *("--data", str(keys.parent)),
        AMPLY_POSTGRES=stand.database.role_dsn("operations"),
        AMPLY_KAFKA=stand.kafka,
        AMPLY_LOG_ORIGIN=ORIGIN,
        AMPLY_LOG_KEY=str(stand.keys.path),
    )


async def test_an_operator_changes_the_key_and_verifiers_follow_only_when_told(
    stand: Stand, tmp_path: Path
) -> None:
    for process in ("bookkeeping", "checkpoints"):
        await stand.start(process)
    await stand.publish([genesis(PLATFORM)])
    await stand.recorded(1)
    before = await note_at(stand, 1)
    status, output = await rotate_key(stand, "--overlap", "2")
    assert status == 0, output
    assert f"recorded at index 1\nold key {OLD}\n" in output
    assert "the old key signs checkpoints below size 3" in output
    new = list(stand.keys.read())[1]
    assert f"new key {new}\n" in output
    status, output = await rotate_key(stand, "--overlap", "2")
    assert status == 1
    assert "changing its key until size 3" in output
    during = await note_at(stand, 2)
    assert (signers(before, OLD, new), signers(during, OLD, new)) == ([OLD], [OLD, new])
    # Whoever trusts the old key still verifies, and keeps a checkpoint that both keys signed.
    assert (await verify(stand.folder, OLD))[0] == 0
    kept = tmp_path / "kept"
    kept.write_text(during)
    await stand.publish([genesis(name("org", "A"))])
    await stand.recorded(3)
    after = await note_at(stand, 3)
    assert signers(after, OLD, new) == [new]

    async def shown() -> bool:
        return (stand.folder / "vkey").read_text().strip() == new

    await until(shown, "the new key is shown to newcomers")
    status, output = await verify(stand.folder, OLD)
    assert status == 1
    assert "not signed by the key given but by another key" in output
    status, output = await verify(stand.folder, new, "--old", str(kept))
    assert status == 0, output
    assert list(stand.keys.read()) == [OLD, new]
    status, output = await rotate_key(stand, "--overlap", "0")
    assert status == 0, output
    kept_key, last = stand.keys.read()
    assert kept_key == new, "the first key signs no more and is gone"
    assert signers(await note_at(stand, 4), OLD, new, last) == [last]


async def test_a_rotation_cut_off_goes_on_with_the_key_that_it_drew(stand: Stand) -> None:
    old, drawn = draw(stand.keys, 5, [])
    assert (old, list(stand.keys.read())) == (OLD, [OLD, stand.keys.name(drawn)])
    assert draw(stand.keys, 5, []) == (OLD, drawn)
    # Announced but not over: no third key, but for an emergency.
    change = KeyChange(5, OLD, stand.keys.name(drawn), 9)
    with pytest.raises(RotationError, match="--overlap 0"):
        draw(stand.keys, 6, [change])
    assert draw(stand.keys, 6, [change], is_urgent=True)[0] == stand.keys.name(drawn)
    assert len(stand.keys.read()) == 3


@pytest.mark.parametrize("step", ["checkpoints.signed", "checkpoints.published"])
async def test_a_crash_during_the_change_publishes_what_both_keys_signed(
    stand: Stand, step: str
) -> None:
    await grow(stand, 5)
    first = await stand.start("checkpoints")
    await stand.published(5)
    await stand.stop(first)
    _, drawn = draw(stand.keys, 5, [])
    new = stand.keys.name(drawn)
    await stand.database.record(announced(OLD, new, 8))
    await stand.start_to_die("checkpoints", step, 1)
    await stand.start("checkpoints")
    assert signers(await note_at(stand, 6), OLD, new) == [OLD, new]
    await grow(stand, 9)
    assert signers(await note_at(stand, 9), OLD, new) == [new]


async def test_a_key_that_the_log_announces_and_nobody_holds_stops_the_signing(
    stand: Stand,
) -> None:
    await grow(stand, 5)
    process = await stand.start("checkpoints")
    await stand.published(5)
    kept = stand.keys.path.read_bytes()
    _, drawn = draw(stand.keys, 5, [])
    with_both = stand.keys.path.read_bytes()
    stand.keys.path.write_bytes(kept)
    await stand.database.record(announced(OLD, stand.keys.name(drawn), 100))

    async def alarmed() -> bool:
        return "cannot_sign" in stand.events()

    await until(alarmed, "the publisher says that a key is missing")
    assert await stand.database.value("SELECT max(size) FROM ledger.checkpoints") == 5
    assert process.returncode is None
    stand.keys.path.write_bytes(with_both)
    note = await note_at(stand, 6)
    assert signers(note, OLD, stand.keys.name(drawn)) == [OLD, stand.keys.name(drawn)]


async def test_another_key_in_the_file_never_signs_unannounced(stand: Stand) -> None:
    await grow(stand, 5)
    process = await stand.start("checkpoints")
    await stand.published(5)
    await stand.stop(process)
    _, drawn = draw(stand.keys, 5, [])
    with_both = stand.keys.path.read_bytes()
    stand.keys.write([drawn])
    await grow(stand, 6)
    await stand.start("checkpoints")

    async def alarmed() -> bool:
        return "cannot_sign" in stand.events()

    await until(alarmed, "the publisher says that the key is missing")
    assert await stand.database.value("SELECT max(size) FROM ledger.checkpoints") == 5
    stand.keys.path.write_bytes(with_both)
    assert signers(await note_at(stand, 6), OLD, stand.keys.name(drawn)) == [OLD]


async def test_a_wrong_passphrase_ends_the_start_with_a_sentence(
    stand: Stand, tmp_path: Path
) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_text("not the passphrase of that file")
    process = await stand.start("checkpoints", AMPLY_LOG_PASSPHRASE=str(wrong))
    assert await asyncio.wait_for(process.wait(), 30) == 2
    assert "AMPLY_LOG_KEY: the passphrase is not that of the key file" in stand.logs()
