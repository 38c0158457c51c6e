"""What the edge does with a donor who was forgotten: retries, repetitions, and new gifts."""

import secrets
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from deploy.erasure import Erased, erase, find_by_email
from tests.databases import role_dsn
from tests.edge.stand import Served, Stand, gift
from tests.edge.test_webhooks import event, send, stored
from workers.retention.journal import Journal

pytestmark = pytest.mark.asyncio

EMAIL = "Ada@Example.org"


async def forget(stand: Stand, organization: str, folder: Path) -> Erased:
    """Forget Ada, as an operator does."""
    connection = await asyncpg.connect(role_dsn(stand.superuser_dsn, "operations"))
    try:
        key = stand.settings.master_key
        profile = await find_by_email(connection, organization, EMAIL, key)
        assert profile is not None
        return await erase(connection, Journal(folder / "journal"), organization, profile)
    finally:
        await connection.close()


async def profiles(stand: Stand, organization: str) -> dict[str, int]:
    """Gifts by profile."""
    rows = await stand.fetch(
        "SELECT p.id, count(g.donation) AS gifts FROM edge.donor_profiles AS p"
        " LEFT JOIN edge.donor_gifts AS g ON g.organization = p.organization AND g.profile = p.id"
        " WHERE p.organization = $1 GROUP BY p.id",
        organization,
    )
    return {row["id"]: row["gifts"] for row in rows}


async def test_who_gives_again_is_a_new_person(stand: Stand, edge: Served, tmp_path: Path) -> None:
    registered = await stand.register()
    for _ in range(2):
        answer = await edge.donate(gift(registered.id), registered.key.secret)
        assert answer.status == 202
    nameless = gift(registered.id, donor={"name": "No Address", "display": "public"})
    assert (await edge.donate(nameless, registered.key.secret)).status == 202
    before = await profiles(stand, registered.id)
    assert sorted(before.values()) == [1, 2]
    erased = await forget(stand, registered.id, tmp_path)
    assert erased.gifts == 2
    left = await profiles(stand, registered.id)
    assert left == {one: count for one, count in before.items() if one != erased.profile}
    assert (await edge.donate(gift(registered.id), registered.key.secret)).status == 202
    after = await profiles(stand, registered.id)
    assert len(after) == 2 and erased.profile not in after


async def test_a_gift_without_a_donor_is_nobodys(stand: Stand, edge: Served) -> None:
    registered = await stand.register()
    body = gift(registered.id, donor=...)
    assert (await edge.donate(body, registered.key.secret)).status == 202
    assert await profiles(stand, registered.id) == {}


async def test_a_retry_after_the_erasure_makes_no_second_gift(
    stand: Stand, edge: Served, tmp_path: Path
) -> None:
    registered = await stand.register()
    body, key = gift(registered.id), secrets.token_hex(8)
    first = await edge.donate(body, registered.key.secret, key)
    await forget(stand, registered.id, tmp_path)
    retry = await edge.donate(body, registered.key.secret, key)
    assert (retry.status, retry.code) == (422, "idempotency_key_reused")
    assert len(await stand.messages(registered.id, "donations.requested.v1")) == 1
    assert await profiles(stand, registered.id) == {}
    shown = await edge.get(first.headers["Location"], registered.key.secret)
    assert (shown.status, shown.json["id"]) == (200, first.json["id"])


async def test_webhooks_about_the_donors_payments_keep_no_body_and_are_still_known(
    stand: Stand, edge: Served, tmp_path: Path
) -> None:
    account = f"acct_{secrets.token_hex(8)}"
    registered = await stand.register(stripe_account=account)
    posted = await edge.donate(gift(registered.id), registered.key.secret)
    ours, others = f"pi_{secrets.token_hex(8)}", f"pi_{secrets.token_hex(8)}"
    await stand.fetch(
        "INSERT INTO donations.donations (organization, id, status, amount_minor, payment_intent,"
        " updated_at) VALUES ($1, $2, 'processing', 2500, $3, now())",
        *(registered.id, posted.json["id"], ours),
    )
    billing = {"billing_details": {"email": EMAIL}}

    def charge(payment: Any) -> bytes:
        about = {"id": f"ch_{secrets.token_hex(8)}", "payment_intent": payment, **billing}
        return event(account, type="charge.updated", data={"object": about})

    bodies = [
        event(account, data={"object": {"id": ours, **billing}}),
        charge(ours),
        charge({"id": ours, "object": "payment_intent"}),
        event(
            account, type="charge.refunded", data={"object": {"id": "ch_1", "payment_intent": ours}}
        ),
        charge(others),
        charge(None),
    ]
    for body in bodies:
        assert (await send(edge, body)).status == 200
    await forget(stand, registered.id, tmp_path)
    kept = [len((await stored(stand, body))[0]["body"]) > 0 for body in bodies]
    assert kept == [False, False, False, False, True, True]
    told = len(await stand.messages(registered.id, "stripe.events.v1"))
    for body in bodies:
        assert (await send(edge, body)).status == 200
    assert [len((await stored(stand, body))[0]["body"]) > 0 for body in bodies] == kept
    assert len(await stand.messages(registered.id, "stripe.events.v1")) == told
