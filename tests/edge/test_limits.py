"""Gifts within limits: over a real edge and a real PostgreSQL, shared by several edges."""

import asyncio
from collections import Counter
from typing import Any

import pytest

from edge.limits import store
from edge.limits.addresses import read_networks
from edge.limits.rules import HOUR_S, MINUTE_S, Limits, Rule
from tests.edge.stand import Served, Stand, gift
from tests.edge.test_steps import given

PROXIES = read_networks("127.0.0.0/8, 10.0.0.0/8")
ALICE = {"X_Forwarded_For": "203.0.113.9, 198.51.100.1, 10.0.0.1"}
BOB = {"X_Forwarded_For": "198.51.100.1, 203.0.113.9"}


def limited(stand: Stand, **changes: Any) -> Any:
    """Another edge on the same database."""
    return stand.serve(limits=Limits(disposable_domains=frozenset({"mailinator.com"}), **changes))


async def statuses(edge: Served, bodies: list[Any], secret: str, **headers: str) -> Counter[int]:
    answers = [await edge.donate(body, secret, **headers) for body in bodies]
    return Counter(answer.status for answer in answers)


@pytest.fixture(autouse=True)
async def nothing_counted(stand: Stand) -> None:
    await stand.fetch("DELETE FROM edge.hits")


async def test_an_address_gives_so_often_and_others_go_on(stand: Stand) -> None:
    registered = await stand.register()
    body, secret = gift(registered.id), registered.key.secret
    rule = Rule("address", 2, MINUTE_S)
    async with limited(stand, per_address=rule, trusted_proxies=PROXIES) as edge:
        assert await statuses(edge, [body] * 3, secret, **ALICE) == {202: 2, 429: 1}
        assert await statuses(edge, [body] * 3, secret, **BOB) == {202: 2, 429: 1}
        refused = await edge.donate(body, secret, **BOB)
        assert refused.code == "too_many_requests"
        assert refused.headers["Content-Type"].startswith("application/problem+json")
        assert 1 <= int(refused.headers["Retry-After"]) <= 70
    rows = await stand.fetch("SELECT rule, subject FROM edge.hits")
    assert len(rows) == 2 and {row["rule"] for row in rows} == {"address"}
    assert not any(b"198.51" in row["subject"] for row in rows)


async def test_addresses_count_only_behind_proxies_and_where_nobody_exempted_them(
    stand: Stand,
) -> None:
    registered = await stand.register()
    bodies, secret = [gift(registered.id)] * 2, registered.key.secret
    rule = Rule("address", 1, MINUTE_S)
    async with limited(stand, per_address=rule) as edge:
        assert await statuses(edge, bodies, secret, **ALICE) == {202: 2}
    exempt = read_networks("198.51.100.0/24")
    async with limited(stand, per_address=rule, trusted_proxies=PROXIES, exempt=exempt) as edge:
        assert await statuses(edge, bodies, secret, **ALICE) == {202: 2}
        assert await statuses(edge, bodies, secret, **BOB) == {202: 1, 429: 1}


async def test_denied_addresses_give_nothing(stand: Stand) -> None:
    registered = await stand.register()
    denied = read_networks("198.51.100.0/24")
    async with limited(stand, denied=denied, trusted_proxies=PROXIES) as edge:
        refused = await edge.donate(gift(registered.id), registered.key.secret, **ALICE)
        assert (refused.status, refused.code) == (403, "address_denied")
        given_by_bob = await edge.donate(gift(registered.id), registered.key.secret, **BOB)
        assert given_by_bob.status == 202


async def test_disposable_mail_is_counted_together_and_other_mail_is_not(stand: Stand) -> None:
    registered = await stand.register()
    secret = registered.key.secret
    thrown = [
        gift(registered.id, donor={"email": f"ada@{domain}"})
        for domain in ("mailinator.com", "MAILINATOR.com", "a.mailinator.com")
    ]
    kept = gift(registered.id, donor={"email": "ada@notmailinator.com"})
    async with limited(stand, disposable_mail=Rule("disposable_mail", 2, HOUR_S)) as edge:
        assert await statuses(edge, thrown, secret) == {202: 2, 429: 1}
        assert await statuses(edge, [kept, gift(registered.id, donor=...)], secret) == {202: 2}


async def test_an_organization_and_all_together_have_limits_of_their_own(stand: Stand) -> None:
    first, second = await stand.register(), await stand.register()
    rules = {
        "per_organization": Rule("organization", 2, MINUTE_S),
        "overall": Rule("overall", 3, MINUTE_S),
    }
    async with limited(stand, **rules) as edge:
        of_first = await statuses(edge, [gift(first.id)] * 4, first.key.secret)
        assert of_first == {202: 2, 429: 2}
        of_second = await statuses(edge, [gift(second.id)] * 2, second.key.secret)
        assert of_second == {202: 1, 429: 1}, "what one was refused took nothing from all"


async def test_edges_share_what_they_count(stand: Stand) -> None:
    registered = await stand.register()
    body, secret = gift(registered.id), registered.key.secret
    rule = Rule("overall", 20, MINUTE_S)
    async with limited(stand, overall=rule) as one, limited(stand, overall=rule) as other:
        answers = await asyncio.gather(
            *(edge.donate(body, secret) for _ in range(30) for edge in (one, other))
        )
    assert Counter(answer.status for answer in answers) == {202: 20, 429: 40}


async def test_a_refused_gift_is_none_and_an_accepted_one_is_repeated(stand: Stand) -> None:
    registered = await stand.register()
    body, secret = gift(registered.id), registered.key.secret
    async with limited(stand, overall=Rule("overall", 1, MINUTE_S)) as edge:
        accepted = await edge.donate(body, secret, key="first")
        assert (await edge.donate(body, secret, key="second")).status == 429
        again = await edge.donate(body, secret, key="first")
        assert (again.status, again.body) == (202, accepted.body)
    rows = await stand.fetch(
        "SELECT idempotency_key FROM edge.requests WHERE organization = $1", registered.id
    )
    assert [row["idempotency_key"] for row in rows] == ["first"]


async def test_tries_to_collect_count_like_gifts(stand: Stand) -> None:
    rule = Rule("address", 2, MINUTE_S)
    async with limited(stand, per_address=rule, trusted_proxies=PROXIES) as edge:
        there = await given(stand, edge)
        await there.is_now("failed", failure_code="card_declined")
        asked = [await there.ask("attempts", key=f"try {number}", **ALICE) for number in range(3)]
        assert Counter(answer.status for answer in asked) == {202: 2, 429: 1}


async def test_old_counts_are_forgotten(stand: Stand) -> None:
    insert = (
        "INSERT INTO edge.hits SELECT 'address', sha256(n::text::bytea), 1, '{1,0,0,0,0,0,0}',"
        " 1, 5, now() + n * interval '1 hour' FROM generate_series(-1, 1, 2) AS n"
    )
    await stand.fetch(insert)
    async with stand.edge_connection() as connection:
        await store.forget(connection)
    left = await stand.fetch("SELECT expires_at > now() AS lives FROM edge.hits")
    assert [row["lives"] for row in left] == [True]
