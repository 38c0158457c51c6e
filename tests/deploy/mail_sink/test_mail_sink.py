"""The mail sink as the platform meets it: a process, an SMTP client, files."""

import asyncio
import socket
import stat
import sys
from collections.abc import AsyncIterator
from email.message import EmailMessage
from pathlib import Path

import aiosmtplib
import pytest

from deploy.embedded.processes import until
from deploy.embedded.state import free_port


def connects(address: tuple[str, int]) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(address) == 0


@pytest.fixture
async def sink(tmp_path: Path) -> AsyncIterator[tuple[int, Path]]:
    port, folder = free_port(), tmp_path / "mail"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "deploy.mail_sink", "--port", str(port), "--directory", str(folder)
    )
    assert await until(lambda: connects(("127.0.0.1", port)), 20)
    yield port, folder
    process.terminate()
    assert await process.wait() == 0


def message(subject: str, body: str = "Thank you for your gift.") -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "ledger@amply.test", "ada@example.org", subject
    mail.set_content(body)
    return mail


async def test_every_accepted_message_is_one_whole_file(sink: tuple[int, Path]) -> None:
    port, folder = sink
    for number in range(3):
        await aiosmtplib.send(message(f"Receipt {number}"), hostname="127.0.0.1", port=port)
    files = sorted((folder / "new").glob("*.eml"))
    subjects = [file.read_text().partition("Subject: ")[2].split("\n")[0] for file in files]
    assert subjects == ["Receipt 0", "Receipt 1", "Receipt 2"]
    assert list((folder / "tmp").iterdir()) == []
    assert stat.S_IMODE((folder / "new").stat().st_mode) == 0o700


async def test_a_message_past_the_limit_is_refused_and_leaves_no_file(
    sink: tuple[int, Path],
) -> None:
    port, folder = sink
    with pytest.raises(aiosmtplib.SMTPResponseException):
        await aiosmtplib.send(
            message("Huge", ("x" * 70 + "\n") * 30_000), hostname="127.0.0.1", port=port
        )
    assert list((folder / "new").iterdir()) == []


async def test_only_loopback_listens(sink: tuple[int, Path]) -> None:
    port, _ = sink
    table = Path("/proc/net/tcp").read_text().splitlines()[1:]
    listening = [row.split()[1] for row in table if row.split()[3] == "0A"]
    assert [address for address in listening if address.endswith(f":{port:04X}")] == [
        f"0100007F:{port:04X}"
    ]
