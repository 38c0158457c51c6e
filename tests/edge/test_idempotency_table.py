"""One Idempotency-Key: used again, for something else, at once, by two API keys, at two edges."""

import asyncio
import secrets

import orjson
import pytest

from edge.organizations.service import create_api_key
from tests.edge.society import advance
from tests.edge.stand import Served, Stand, gift
from tests.edge.test_refunds import Given

pytestmark = pytest.mark.asyncio


async def test_the_same_request_gets_the_same_answer(stand: Stand, edge: Served) -> None:
    registered = await stand.register()
    body = gift(registered.id)
    first = await edge.donate(body, registered.key.secret, "k")
    again = await edge.donate(dict(reversed(body.items())), registered.key.secret, '"k"')
    assert (first.status, again.status) == (202, 202)
    assert again.body == first.body
    assert again.headers["Location"] == first.headers["Location"]
    assert first.headers.get("Idempotent-Replayed") is None
    assert again.headers["Idempotent-Replayed"] == "true"
    assert await stand.stored(registered.id) == (1, 1, 1)


async def test_another_request_under_the_key_is_refused(stand: Stand, edge: Served) -> None:
    registered = await stand.register()
    assert (await edge.donate(gift(registered.id), registered.key.secret, "k")).status == 202
    for changes in (
        {"amount_minor": 2501},
        {"covers_fee": True},
        {"donor": {"name": "Somebody Else", "email": "else@example.org"}},
        {"donor": None},
    ):
        other = await edge.donate(gift(registered.id, **changes), registered.key.secret, "k")
        assert (other.status, other.code) == (422, "idempotency_key_reused")
    queried = await edge.donate(
        gift(registered.id), registered.key.secret, "k", "/v1/donations?dry_run=1"
    )
    assert (queried.status, queried.code) == (422, "query_not_accepted")
    # The refused requests left no donor behind either.
    assert await stand.stored(registered.id) == (1, 1, 1)


async def test_an_invalid_body_does_not_burn_the_key(stand: Stand, edge: Served) -> None:
    registered = await stand.register()
    invalid = await edge.donate(gift(registered.id, amount_minor=0), registered.key.secret, "k")
    assert invalid.status == 422
    assert (await edge.donate(gift(registered.id), registered.key.secret, "k")).status == 202
    assert await stand.stored(registered.id) == (1, 1, 1)


async def test_of_many_at_once_one_runs(stand: Stand, edge: Served) -> None:
    registered = await stand.register()
    answers = await asyncio.gather(
        *(edge.donate(gift(registered.id), registered.key.secret, "k") for _ in range(20))
    )
    statuses = {answer.status for answer in answers}
    assert statuses <= {202, 409}
    accepted = [answer for answer in answers if answer.status == 202]
    assert len({answer.json["id"] for answer in accepted}) == 1
    assert sum("Idempotent-Replayed" not in answer.headers for answer in accepted) == 1
    for answer in answers:
        if answer.status == 409:
            assert answer.code == "request_in_progress"
            assert answer.headers["Retry-After"] == "1"
    assert await stand.stored(registered.id) == (1, 1, 1)


async def test_a_request_that_runs_keeps_the_key(stand: Stand, edge: Served) -> None:
    registered = await stand.register()
    # A row lock on what the transaction must insert holds the first request in the middle.
    held = await stand.hold(registered.id, "k")
    first = asyncio.create_task(edge.donate(gift(registered.id), registered.key.secret, "k"))
    await stand.blocked()
    second = await edge.donate(gift(registered.id), registered.key.secret, "k")
    await held.release()
    assert (second.status, second.code) == (409, "request_in_progress")
    assert (await first).status == 202


async def test_a_key_rotated_during_a_retry_does_not_double(stand: Stand, edge: Served) -> None:
    registered = await stand.register()
    first = await edge.donate(gift(registered.id), registered.key.secret, "k")
    async with stand.edge_connection() as connection:
        rotated = await create_api_key(
            connection,
            master_key=stand.settings.master_key,
            environment="test",
            organization=registered.id,
            name="second",
        )
    await stand.apply_permissions(registered.id)
    again = await edge.donate(gift(registered.id), rotated.secret, "k")
    assert (again.status, again.json["id"]) == (202, first.json["id"])
    assert again.headers["Idempotent-Replayed"] == "true"
    assert await stand.stored(registered.id) == (1, 1, 1)


async def test_keys_of_different_organizations_are_different(stand: Stand, edge: Served) -> None:
    one, two = await stand.register(), await stand.register()
    first = await edge.donate(gift(one.id), one.key.secret, "k")
    second = await edge.donate(gift(two.id), two.key.secret, "k")
    assert (first.status, second.status) == (202, 202)
    assert first.json["id"] != second.json["id"]


async def test_two_edges_agree_by_the_database(stand: Stand, edge: Served) -> None:
    registered = await stand.register()
    async with stand.serve() as other:
        answers = await asyncio.gather(
            *(
                served.donate(gift(registered.id, amount_minor=100 + number), secret, f"k-{number}")
                for number in range(30)
                for served in (edge, other)
                for secret in (registered.key.secret,)
            )
        )
    assert {answer.status for answer in answers} == {202}
    assert len({answer.json["id"] for answer in answers}) == 30
    # Both edges met the same new donor at the same moment, and made one profile.
    assert await stand.stored(registered.id) == (30, 30, 1)


async def test_an_accepted_gift_is_answered_again_whatever_happened_since(
    stand: Stand, edge: Served
) -> None:
    registered = await stand.register()
    key = secrets.token_hex(8)
    first = await edge.donate(gift(registered.id), registered.key.secret, key)
    await stand.fetch(
        "UPDATE edge.organizations SET accepts_donations = false WHERE id = $1", registered.id
    )
    async with stand.serve(outbox_age_s_max=-1.0) as later:
        again = await later.donate(gift(registered.id), registered.key.secret, key)
        fresh = await later.donate(gift(registered.id), registered.key.secret)
        other = await later.donate(gift(registered.id, amount_minor=1), registered.key.secret, key)
    assert (again.status, again.body) == (202, first.body)
    assert (fresh.status, fresh.code, fresh.headers["Retry-After"]) == (503, "backlog", "10")
    assert (other.status, other.code) == (422, "idempotency_key_reused")


async def test_a_key_is_each_routes_own(stand: Stand, edge: Served) -> None:
    """One key for a gift, for steps of it, for a refund: each is a request of its own."""
    there = await Given(stand, edge).prepare("failed")
    gift_of_key = await edge.donate(gift(there.organization), there.secret, "k")
    path = f"/v1/donations/{there.donation}"
    attempt = await edge.donate({}, there.secret, "k", f"{path}/attempts")
    await stand.fetch(
        "UPDATE donations.donations SET status = 'recorded' WHERE id = $1",
        there.donation,
    )
    refund = await there.refund({"amount_minor": 1000}, "k")
    again = await there.refund({"amount_minor": 1000}, "k")
    other = await there.refund({"amount_minor": 1001}, "k")
    queried = await edge.donate({"amount_minor": 1000}, there.secret, "k", f"{path}/refunds?dry=1")
    assert [answer.status for answer in (gift_of_key, attempt, refund)] == [202, 202, 202]
    assert len({gift_of_key.json["id"], attempt.json["id"], refund.json["id"]}) == 3
    assert (again.json["id"], again.headers["Idempotent-Replayed"]) == (refund.json["id"], "true")
    assert (other.status, other.code) == (422, "idempotency_key_reused")
    assert (queried.status, queried.code) == (422, "query_not_accepted")
    assert len(await stand.messages(there.organization, "refunds.requested.v1")) == 1


async def test_a_day_and_an_hour_later_it_is_the_same_gift(stand: Stand) -> None:
    """Stripe forgets keys after a day: ours are kept, so that no second gift begins."""
    registered = await stand.register()
    async with stand.serve() as edge:
        first = await edge.donate(gift(registered.id), registered.key.secret, "k")
    await stand.fetch(
        "UPDATE edge.requests SET created_at = created_at - interval '25 hours'"
        " WHERE organization = $1",
        registered.id,
    )
    await advance(stand, hours=25)
    async with stand.serve() as later:
        again = await later.donate(gift(registered.id), registered.key.secret, "k")
        other = await later.donate(gift(registered.id, amount_minor=1), registered.key.secret, "k")
    assert (again.status, again.body) == (202, first.body)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert (other.status, other.code) == (422, "idempotency_key_reused")
    # What goes downstream was said once, with the ids of the first answer.
    [message] = await stand.messages(registered.id, "donations.requested.v1")
    assert orjson.loads(message["value"])["donation"] == first.json["id"]
    assert await stand.stored(registered.id) == (1, 1, 1)
