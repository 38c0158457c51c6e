"""A mail server that keeps what it takes, the worker's resources, and entries with their donors."""

import asyncio
import email
import json
from collections.abc import AsyncIterator
from email.message import EmailMessage
from email.policy import SMTPUTF8
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP

from contracts.entries import EntryRecorded
from contracts.message import Envelope
from ledger.keys import KeyRing, new_data_key
from ledger.personal_data import seal_donor
from tests.workers.bench import Bench, message, new
from topics.registry import ENTRIES_RECORDED
from workers.notifications.decisions import Letterhead
from workers.notifications.resources import Notifications, open_notifications

MASTER = bytes.fromhex("11" * 32)
POSTINGS = [
    {"account": "Assets:Stripe", "amount": "2437", "currency": "EUR", "fund": "f"},
    {"account": "Expenses:ProcessorFees", "amount": "63", "currency": "EUR", "fund": "f"},
    {"account": "Income:Donations", "amount": "-2500", "currency": "EUR", "fund": "f"},
]
LETTERHEAD = Letterhead("thanks@amply.example", "https://amply.example")


class Mailbox:
    """What a mail server took; `answer` is what it says to DATA."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.recipients: list[str] = []
        self.answer = "250 OK"
        self.rcpt_answer = "250 OK"

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, *to: Any) -> str:
        if self.rcpt_answer.startswith("250"):
            envelope.rcpt_tos.append(to[0])
        return self.rcpt_answer

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        if self.answer.startswith("250"):
            self.recipients += envelope.rcpt_tos
            mail = email.message_from_bytes(envelope.content, policy=SMTPUTF8)
            assert isinstance(mail, EmailMessage)
            self.mails.append(mail)
        return self.answer


@pytest.fixture
async def mailbox() -> AsyncIterator[tuple[Mailbox, str]]:
    box = Mailbox()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(box, enable_SMTPUTF8=True), "127.0.0.1", 0)
    yield box, f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    server.close()


@pytest.fixture
async def notifications(
    bench: Bench, mailbox: tuple[Mailbox, str], master_key_file: Path
) -> AsyncIterator[Notifications]:
    settings = {
        "AMPLY_POSTGRES": bench.role_dsn("notifications"),
        "AMPLY_MASTER_KEY": str(master_key_file),
        "AMPLY_SMTP": mailbox[1],
        "AMPLY_MAIL_FROM": LETTERHEAD.sender,
        "AMPLY_URL": LETTERHEAD.url + "/",
    }
    async with open_notifications(settings) as opened:
        yield opened


def entry(
    organization: str, money: Any, *, donor: bool = True, refunds: str | None = None
) -> Envelope[EntryRecorded]:
    """A gift, or the refund of the gift with this entry."""
    text = {"money": money} | ({"donor": {"sealed": "cd" * 32}} if donor else {})
    if refunds is not None:
        text = {"money": money, "ref": refunds}
    body = EntryRecorded(
        entry_id=new("ent"),
        log=0,
        index=1,
        seq=1,
        kind="donation" if refunds is None else "refund",
        leaf_hash="ab" * 32,
        entry=json.dumps(text),
        subject=new("don" if refunds is None else "rfd"),
    )
    return message(ENTRIES_RECORDED, organization, body)


async def donor_opening(
    bench: Bench, organization: str, entry_id: str, value: dict[str, Any], *, keep_key: bool = True
) -> None:
    """As edge and ledger leave it: an encrypted opening, and the profile's wrapped key."""
    profile, data_key = new("prof"), new_data_key()
    _, opening = seal_donor(value, profile, data_key)
    await bench.fetch(
        "INSERT INTO ledger.openings (organization, entry_id, section, profile, ciphertext)"
        " VALUES ($1, $2, 'donor', $3, $4)",
        organization,
        entry_id,
        profile,
        opening,
    )
    if keep_key:
        await bench.fetch(
            "INSERT INTO edge.donor_profiles (id, organization, person_hash, wrapped_key)"
            " VALUES ($1, $2, sha256(convert_to($1, 'UTF8')), $3)",
            profile,
            organization,
            KeyRing(MASTER).wrap(data_key, profile),
        )


async def outcomes(bench: Bench, organization: str) -> list[tuple[str, int | None]]:
    rows = await bench.fetch(
        "SELECT outcome, smtp_code FROM notifications.mails WHERE organization = $1", organization
    )
    return [(row["outcome"], row["smtp_code"]) for row in rows]
