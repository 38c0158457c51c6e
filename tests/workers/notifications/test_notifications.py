"""Mails to donors: one for each gift, to nobody else, with nothing in it that a stranger typed."""

import email
import json
from email.policy import SMTPUTF8
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from tests.workers.bench import Bench, message, new
from tests.workers.notifications.conftest import (
    LETTERHEAD,
    POSTINGS,
    Mailbox,
    donor_opening,
    entry,
    outcomes,
)
from topics.registry import ENTRIES_RECORDED
from workers.notifications import decisions
from workers.notifications.resources import Notifications, open_notifications
from workers.notifications.worker import WORKER


async def test_donor_is_thanked_once_even_after_replays(
    bench: Bench, notifications: Notifications, mailbox: tuple[Mailbox, str]
) -> None:
    organization, _ = await bench.organization(name="Hope\r\nBcc: all@example.org")
    recorded = entry(organization, {"postings": POSTINGS})
    entry_id = recorded.body.entry_id
    value = {"display": "public", "email": "ana@example.org", "name": "Ana"}
    await donor_opening(bench, organization, entry_id, value)
    with capture_logs() as logs:
        for _ in range(3):
            await bench.settle(WORKER, notifications, [recorded, recorded])
            await bench.fetch("DELETE FROM messages.inbox WHERE id = $1", recorded.id)
    box, _ = mailbox
    [mail] = box.mails
    assert box.recipients == ["ana@example.org"]
    assert mail["Message-ID"] == f"<{entry_id}@amply.example>"
    assert mail["Subject"] == "Your gift to Hope Bcc: all@example.org"
    assert mail["Bcc"] is None
    text = mail.get_content()
    assert "EUR 25.00" in text
    assert f"https://amply.example/v1/donations/{recorded.body.subject}/receipt" in text
    assert "Ana" not in text
    assert await outcomes(bench, organization) == [("sent", None)]
    assert "ana@example.org" not in repr(logs)


async def test_sealed_money_is_read_from_its_opening(
    bench: Bench, notifications: Notifications, mailbox: tuple[Mailbox, str]
) -> None:
    organization, _ = await bench.organization()
    recorded = entry(organization, {"sealed": "ab" * 32})
    entry_id = recorded.body.entry_id
    opening = json.dumps({"salt": "", "value": {"postings": POSTINGS}}).encode()
    await bench.fetch(
        "INSERT INTO ledger.openings (organization, entry_id, section, plain)"
        " VALUES ($1, $2, 'money', $3)",
        organization,
        entry_id,
        opening,
    )
    await donor_opening(bench, organization, entry_id, {"email": "ben@example.org"})
    await bench.settle(WORKER, notifications, [recorded])
    assert "EUR 25.00" in mailbox[0].mails[0].get_content()


@pytest.mark.parametrize("lacking", ["donor", "address", "usable address", "key"])
async def test_nobody_to_write_to(
    bench: Bench, notifications: Notifications, mailbox: tuple[Mailbox, str], lacking: str
) -> None:
    organization, _ = await bench.organization()
    recorded = entry(organization, {"postings": POSTINGS}, donor=lacking != "donor")
    value = {"display": "public"} if lacking == "address" else {"email": "cora@example.org"}
    if lacking == "usable address":
        value = {"email": "cora@example.org\r\nBcc: all@example.org"}
    if lacking != "donor":
        entry_id, keep_key = recorded.body.entry_id, lacking != "key"
        await donor_opening(bench, organization, entry_id, value, keep_key=keep_key)
    await bench.settle(WORKER, notifications, [recorded])
    assert mailbox[0].mails == []
    assert await outcomes(bench, organization) == [("nothing_to_send", None)]


@pytest.mark.parametrize("stage", ["answer", "rcpt_answer"])
async def test_final_no_of_the_server_is_kept(
    bench: Bench, notifications: Notifications, mailbox: tuple[Mailbox, str], stage: str
) -> None:
    organization, _ = await bench.organization()
    recorded = entry(organization, {"postings": POSTINGS})
    value = {"email": "dan@example.org"}
    await donor_opening(bench, organization, recorded.body.entry_id, value)
    setattr(mailbox[0], stage, "550 no such mailbox")
    await bench.settle(WORKER, notifications, [recorded])
    assert await outcomes(bench, organization) == [("refused", 550)]


@pytest.mark.parametrize("stage", ["answer", "rcpt_answer"])
@pytest.mark.parametrize("forgotten", [False, True])
async def test_not_now_is_tried_again_while_the_donor_is_known(
    bench: Bench,
    notifications: Notifications,
    mailbox: tuple[Mailbox, str],
    stage: str,
    forgotten: bool,
) -> None:
    organization, _ = await bench.organization()
    recorded = entry(organization, {"postings": POSTINGS})
    value = {"email": "eve@example.org"}
    await donor_opening(bench, organization, recorded.body.entry_id, value)
    setattr(mailbox[0], stage, "451 busy")
    await bench.settle(WORKER, notifications, [recorded])
    assert await bench.set_aside(WORKER) == [("parked", "transient")]
    setattr(mailbox[0], stage, "250 OK")
    if forgotten:
        await bench.fetch("DELETE FROM edge.donor_profiles WHERE organization = $1", organization)
    await bench.settle(WORKER, notifications, [recorded])
    assert len(mailbox[0].mails) == (0 if forgotten else 1)
    outcome = "nothing_to_send" if forgotten else "sent"
    assert await outcomes(bench, organization) == [(outcome, None)]


async def test_no_mail_server(bench: Bench, master_key_file: Path) -> None:
    organization, _ = await bench.organization()
    recorded = entry(organization, {"postings": POSTINGS})
    value = {"email": "fay@example.org"}
    await donor_opening(bench, organization, recorded.body.entry_id, value)
    settings = {
        "AMPLY_POSTGRES": bench.role_dsn("notifications"),
        "AMPLY_MASTER_KEY": str(master_key_file),
        "AMPLY_SMTP": "127.0.0.1:9",
        "AMPLY_MAIL_FROM": LETTERHEAD.sender,
        "AMPLY_URL": LETTERHEAD.url,
    }
    async with open_notifications(settings) as unreachable:
        await bench.settle(WORKER, unreachable, [recorded])
    assert await bench.set_aside(WORKER) == [("parked", "transient")]
    assert await outcomes(bench, organization) == []


async def test_connection_that_the_server_closed_is_opened_again(
    bench: Bench, notifications: Notifications, mailbox: tuple[Mailbox, str]
) -> None:
    organization, _ = await bench.organization()
    for _ in range(2):
        recorded = entry(organization, {"postings": POSTINGS})
        value = {"email": "gil@example.org"}
        await donor_opening(bench, organization, recorded.body.entry_id, value)
        await bench.settle(WORKER, notifications, [recorded])
        await notifications.mail._server.quit()
    assert len(mailbox[0].mails) == 2


async def test_other_entries_are_not_looked_at(bench: Bench, notifications: Notifications) -> None:
    organization, _ = await bench.organization()
    recorded = entry(organization, {"postings": POSTINGS})
    other = recorded.body.model_copy(update={"kind": "payout", "subject": "po_1"})
    await bench.settle(WORKER, notifications, [message(ENTRIES_RECORDED, organization, other)])
    assert await outcomes(bench, organization) == []


@given(name=st.text(max_size=80))
def test_no_name_of_an_organization_adds_a_header(name: str) -> None:
    recorded = entry(new("org"), {"postings": POSTINGS})
    mail = decisions.mail_of(
        recorded,
        recipient="ana@example.org",
        organization=name,
        amount=(2500, "EUR"),
        letterhead=LETTERHEAD,
    )
    parsed = email.message_from_bytes(mail.as_bytes(), policy=SMTPUTF8)
    assert parsed.keys() == mail.keys()
    assert str(parsed["To"]) == "ana@example.org"


@example(address="0@[")
@given(address=st.text(max_size=300) | st.from_regex(r"[^@]{1,20}@[^@]{1,20}"))
def test_an_address_is_usable_or_none(address: str) -> None:
    usable = decisions.recipient_of({"email": address})
    if usable is None:
        return
    recorded = entry(new("org"), {"postings": POSTINGS})
    mail = decisions.mail_of(
        recorded,
        recipient=usable,
        organization="Hope",
        amount=(2500, "EUR"),
        letterhead=LETTERHEAD,
    )
    assert len(mail["To"].addresses) == 1
    assert mail["Bcc"] is None
