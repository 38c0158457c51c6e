"""How often whoever asks may ask: on a real edge and a real PostgreSQL, shared by several edges."""

import asyncio
import re
from collections import Counter
from dataclasses import replace
from typing import Any

import asyncpg
import pytest

from edge.limits import leases as leasing
from edge.limits.addresses import read_networks
from edge.limits.policies import TABLE, Policies, rate_of, read
from edge.limits.rules import Limits
from edge.operations import OPERATIONS
from edge.organizations.service import create_api_key
from tests.edge.stand import Answer, Served, Stand, gift, until

pytestmark = pytest.mark.asyncio

PROXIES = Limits(trusted_proxies=read_networks("127.0.0.0/8"))
ALICE = {"X_Forwarded_For": "198.51.100.1"}
BOB = {"X_Forwarded_For": "198.51.100.2"}
NOWHERE = "/v1/public/organizations/nobody"
GIFT = "/v1/donations/don_01h455vb4pex5vsknk084sn02q"


def limited(
    stand: Stand, words: str, limits: Limits = PROXIES, window_s: int | None = 86_400
) -> Any:
    """Another edge on the same database, with these rates and no others; by default of a day, since
    a busy machine may take longer than a minute."""
    rules = read(words, by_default=False).rules
    if window_s is not None:
        rules = {name: replace(rule, window_s=window_s) for name, rule in rules.items()}
    return stand.serve(policies=Policies(rules), limits=limits)


@pytest.fixture(autouse=True)
async def nothing_counted(stand: Stand) -> None:
    await stand.fetch("DELETE FROM edge.hits")
    await stand.fetch("DELETE FROM edge.rate_limits")


async def often(times: int, edge: Served, path: str, *secret: str, **headers: str) -> Counter[int]:
    answers = [await edge.get(path, *secret, **headers) for _ in range(times)]
    return Counter(answer.status for answer in answers)


async def test_a_visitor_is_counted_by_address_and_told_how_much_is_left(stand: Stand) -> None:
    async with limited(stand, "visitor.read=2", window_s=None) as edge:
        first = await edge.get(NOWHERE, **ALICE)
        assert first.status == 404
        assert first.headers["RateLimit-Policy"] == '"visitor.read";q=2;w=60'
        assert re.fullmatch(r'"visitor\.read";r=1;t=\d+', first.headers["RateLimit"])
        assert (
            (await edge.get(NOWHERE, **ALICE))
            .headers["RateLimit"]
            .startswith('"visitor.read";r=0;')
        )
        refused = await edge.get(NOWHERE, **ALICE)
        assert (refused.status, refused.code) == (429, "rate_limit_exceeded")
        assert 1 <= int(refused.headers["Retry-After"]) <= 70
        assert refused.headers["RateLimit"].startswith('"visitor.read";r=0;')
        assert refused.headers["Cache-Control"] == "no-store"
        assert (await edge.get(NOWHERE, **BOB)).status == 404
    rows = await stand.fetch("SELECT subject FROM edge.hits")
    assert rows and not any(b"198.51" in row["subject"] for row in rows)


async def test_each_rate_is_counted_for_itself(stand: Stand) -> None:
    async with limited(stand, "visitor.read=1 visitor.ledger=1 visitor.export=1") as edge:
        for path in (NOWHERE, f"{NOWHERE}/ledger", f"{NOWHERE}/ledger/export"):
            assert await often(2, edge, path, **ALICE) == {404: 1, 429: 1}


async def test_health_and_stripe_are_never_refused(stand: Stand) -> None:
    async with limited(stand, "visitor.read=1 visitor.write=1") as edge:
        assert await often(5, edge, "/livez", **ALICE) == {200: 5}
        for _ in range(5):
            answer = await edge.ask("POST", "/v1/webhooks/stripe", data=b"{}")
            assert answer.code == "signature_malformed"
            assert "RateLimit" not in answer.headers


async def test_a_key_is_counted_as_itself_wherever_it_comes_from(stand: Stand) -> None:
    registered = await stand.register()
    async with stand.edge_connection() as connection:
        other = await create_api_key(
            connection,
            master_key=stand.settings.master_key,
            environment="test",
            organization=registered.id,
            name="second",
        )
    await stand.apply_permissions(registered.id)
    async with limited(stand, "key.read=2 visitor.read=1") as edge:
        secret = registered.key.secret
        assert await often(1, edge, GIFT, secret, **ALICE) == {404: 1}
        assert await often(2, edge, GIFT, secret, **BOB) == {404: 1, 429: 1}
        assert await often(3, edge, GIFT, other.secret, **BOB) == {404: 2, 429: 1}


async def test_whoever_uses_a_pages_key_is_counted_by_address(stand: Stand) -> None:
    registered = await stand.register()
    await stand.fetch(
        "UPDATE edge.api_keys SET kind = 'publishable', origins = '{https://give.example}'"
        " WHERE organization = $1",
        registered.id,
    )
    async with limited(stand, "key.read=1 visitor.read=2") as edge:
        secret = registered.key.secret
        assert await often(3, edge, GIFT, secret, **ALICE) == {404: 2, 429: 1}
        assert await often(1, edge, GIFT, secret, **BOB) == {404: 1}


async def test_gifts_of_keys_have_limits_of_their_own(stand: Stand) -> None:
    registered = await stand.register()
    async with limited(stand, "on key.write=1") as edge:
        answers = [await edge.donate(gift(registered.id), registered.key.secret) for _ in range(5)]
        assert {answer.status for answer in answers} == {202}
        assert "RateLimit" not in answers[0].headers
        cancel = f"{answers[0].headers['Location']}/cancel"
        canceled = [
            await edge.donate(b"{}", registered.key.secret, key=str(number), path=cancel)
            for number in range(2)
        ]
    assert [answer.status for answer in canceled] != [429, 429]
    assert canceled[1].status == 429


async def test_who_tries_secrets_is_told_so_often(stand: Stand) -> None:
    async with limited(stand, "visitor.sign_in=3") as edge:
        assert await often(5, edge, GIFT, "ampk_test_wrong", **ALICE) == {401: 3, 429: 2}
        assert await often(1, edge, GIFT, "ampk_test_wrong", **BOB) == {401: 1}


async def test_an_organizations_own_limit_holds_at_once(stand: Stand) -> None:
    registered = await stand.register()
    secret = registered.key.secret
    async with limited(stand, "key.read=2") as edge:
        assert await often(3, edge, GIFT, secret) == {404: 2, 429: 1}
        connection = await asyncpg.connect(stand.superuser_dsn)
        try:
            await connection.execute("SET ROLE amply_operations")
            await connection.execute(
                "INSERT INTO edge.rate_limits (organization, rate, most)"
                " VALUES ($1, 'key.read', 100)",
                registered.id,
            )
        finally:
            await connection.close()

        async def is_heard() -> bool:
            answer = await edge.get(GIFT, secret)
            return bool(answer.status == 404)

        await until(is_heard, "the edge hears of it")
        assert await often(20, edge, GIFT, secret) == {404: 20}


async def test_several_edges_grant_one_limit_together(stand: Stand) -> None:
    registered = await stand.register()
    secret = registered.key.secret
    async with limited(stand, "key.read=200") as one, limited(stand, "key.read=200") as other:
        answers: list[Answer] = []
        for _ in range(5):
            answers += await asyncio.gather(
                *(edge.get(GIFT, secret) for _ in range(40) for edge in (one, other))
            )
    counted = Counter(answer.status for answer in answers)
    # One edge may hold what the other lacks, of what it took in advance: a twentieth.
    assert counted[404] <= 200 and counted[404] >= 180, counted


async def test_a_lost_store_lets_readers_in_and_keeps_those_out_who_try_secrets(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(self: object, hit: object) -> None:
        raise leasing.AwayError

    monkeypatch.setattr(leasing.Leases, "spend", away)
    async with limited(stand, "visitor.read=1 visitor.sign_in=1") as edge:
        assert await often(3, edge, NOWHERE, **ALICE) == {404: 3}
        refused = await edge.get(GIFT, "ampk_test_wrong", **ALICE)
        assert (refused.status, refused.headers["Retry-After"]) == (503, "2")


async def test_without_proxies_nobody_knows_an_address_unless_told_so(stand: Stand) -> None:
    async with limited(stand, "visitor.read=1", Limits()) as edge:
        assert await often(3, edge, NOWHERE, **ALICE) == {404: 3}
    async with limited(stand, "visitor.read=1", Limits(is_direct=True)) as edge:
        assert await often(3, edge, NOWHERE, **ALICE) == {404: 1, 429: 2}


async def test_a_sandbox_counts_nothing_unless_told_so() -> None:
    assert read("", by_default=False) == Policies()
    assert (
        set(read("", by_default=True).rules)
        == set(read("on", by_default=False).rules)
        == set(TABLE)
    )
    assert read("off", by_default=True) == Policies()
    rule = read("key.read=7", by_default=True).rules["key.read"]
    assert (rule.most, rule.window_s) == (7, 60)
    for wrong in ("key.read", "key.read=many", "nobody.read=1", "key.read=-1", "key.read=9999999"):
        with pytest.raises(ValueError, match=re.escape(wrong)):
            read(wrong, by_default=True)


async def test_the_numbers_are_those_that_are_published() -> None:
    published = {
        "visitor.read": (60, 60),
        "visitor.initiation": (5, 60),
        "visitor.ledger": (30, 60),
        "visitor.export": (3, 3600),
        "visitor.widget": (300, 60),
        "person.read": (200, 60),
        "person.initiation": (20, 60),
        "key.read": (500, 60),
        "key.write": (100, 60),
    }
    assert {name: TABLE[name] for name in published} == published


async def test_every_operation_has_a_rate() -> None:
    rates = {operation.identifier: operation.rate for operation in OPERATIONS}
    exempt = {name for name, rate in rates.items() if rate == "exempt"}
    assert exempt == {"receiveStripeEvent", "receiveConnectEvent"}
    assert rates["createDonation"] == "initiation"
    for path in ("/livez", "/readyz", "/metrics", "/v1/webhooks/stripe/connect"):
        assert rate_of("GET", path) == "exempt"
    assert rate_of("GET", "/log/0/tile/0/000") == "log"
    assert rate_of("GET", "/v1/public/organizations/{slug}/ledger/export") == "export"
