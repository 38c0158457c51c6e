"""Mails to donors whose gift was given back."""

import json

from tests.workers.bench import Bench, new
from tests.workers.notifications.conftest import (
    POSTINGS,
    Mailbox,
    donor_opening,
    entry,
    outcomes,
)
from workers.notifications.resources import Notifications
from workers.notifications.worker import WORKER


async def test_donor_is_told_of_a_refund_once(
    bench: Bench, notifications: Notifications, mailbox: tuple[Mailbox, str]
) -> None:
    organization, _ = await bench.organization(name="Hope e.V.")
    gift = entry(organization, {"postings": POSTINGS})
    await donor_opening(bench, organization, gift.body.entry_id, {"email": "ana@example.org"})
    postings = [
        {"account": "Assets:Stripe", "amount": "-1000", "currency": "EUR", "fund": "f"},
        {"account": "Income:Donations", "amount": "1000", "currency": "EUR", "fund": "f"},
    ]
    refund = entry(organization, {"postings": postings}, refunds=gift.body.entry_id)
    for _ in range(2):
        await bench.settle(WORKER, notifications, [refund])
        await bench.fetch("DELETE FROM messages.inbox WHERE id = $1", refund.id)
    [mail] = mailbox[0].mails
    assert mailbox[0].recipients == ["ana@example.org"]
    assert mail["Message-ID"] == f"<{refund.body.entry_id}@amply.example>"
    assert mail["Subject"] == "A refund of Hope e.V."
    assert "Hope e.V. has given back EUR 10.00 of your gift." in mail.get_content()
    assert refund.body.entry_id in mail.get_content()


async def test_nobody_is_told_of_the_refund_of_an_unnamed_or_forgotten_donor(
    bench: Bench, notifications: Notifications, mailbox: tuple[Mailbox, str]
) -> None:
    organization, _ = await bench.organization()
    unnamed = entry(organization, {"postings": POSTINGS}, refunds=new("ent"))
    forgotten = entry(organization, {"postings": POSTINGS}, refunds=new("ent"))
    of_gift = json.loads(forgotten.body.entry)["ref"]
    value = {"email": "ana@example.org"}
    await donor_opening(bench, organization, of_gift, value, keep_key=False)
    await bench.settle(WORKER, notifications, [unnamed, forgotten])
    assert mailbox[0].mails == []
    assert await outcomes(bench, organization) == [("nothing_to_send", None)] * 2
