"""Webhooks: kept and passed on once, refused when not Stripe's, accepted when not for us."""

import asyncio
import hmac
import secrets
import time
from typing import Any

import orjson
import pytest
import stripe

from contracts.stripe_events import StripeEventReceived
from edge.webhooks.reception import _PURPOSE
from ledger import keys
from tests.edge.stand import ACCOUNT_SECRETS, WEBHOOK_SECRETS, Answer, Served, Stand

pytestmark = pytest.mark.asyncio
OURS = "/v1/webhooks/stripe"
CONNECT = "/v1/webhooks/stripe/connect"


def event(account: str | None, **changes: Any) -> bytes:
    value: dict[str, Any] = {
        "id": f"evt_{secrets.token_hex(12)}",
        "object": "event",
        "type": "payment_intent.succeeded",
        "account": account,
        "created": 1_800_000_000,
        "livemode": False,
        "api_version": "2026-08-26.dahlia",
        "data": {"object": {"id": "pi_1", "object": "payment_intent", "metadata": {}}},
    }
    return orjson.dumps(value | changes)


async def send(
    edge: Served,
    body: bytes,
    *,
    secret: str = WEBHOOK_SECRETS[1],
    away_s: int = 0,
    path: str = CONNECT,
) -> Answer:
    header = stripe.WebhookSignature.generate_signature_header(
        body.decode("latin-1") if not body.isascii() else body.decode(),
        secret,
        timestamp=int(time.time()) + away_s,
    )
    return await edge.ask("POST", path, data=body, headers={"Stripe-Signature": header})


async def stored(stand: Stand, body: bytes) -> list[Any]:
    identifier = orjson.loads(body)["id"]
    return await stand.fetch("SELECT * FROM edge.stripe_events WHERE id = $1", identifier)


async def connected(stand: Stand) -> tuple[str, str]:
    account = f"acct_{secrets.token_hex(8)}"
    return (await stand.register(stripe_account=account)).id, account


async def test_an_event_is_kept_encrypted_and_passed_on(stand: Stand, edge: Served) -> None:
    organization, account = await connected(stand)
    body = event(account, data={"object": {"id": "pi_1", "metadata": {"note": "Ana\0B"}}})
    assert (await send(edge, body)).status == 200
    [row] = await stored(stand, body)
    assert (row["disposition"], row["account"]) == ("passed_on", account)
    assert b"pi_1" not in row["body"]
    key = keys.derive(stand.settings.master_key, _PURPOSE)
    assert keys.decrypt(key, row["body"], row["id"].encode()) == body
    [message] = await stand.messages(organization, "stripe.events.v1")
    told = StripeEventReceived.model_validate_json(message["value"])
    assert (told.event, told.object, told.livemode) == (row["id"], "pi_1", False)
    assert bytes(message["key"]) == f"{account}/pi_1".encode()


async def test_repetitions_are_accepted_and_passed_on_once(stand: Stand, edge: Served) -> None:
    organization, account = await connected(stand)
    body = event(account)
    answers = [await send(edge, body)]
    answers += await asyncio.gather(*(send(edge, body) for _ in range(20)))
    async with stand.serve() as other:
        answers.append(await send(other, body))
    assert {answer.status for answer in answers} == {200}
    assert len(await stored(stand, body)) == 1
    assert len(await stand.messages(organization, "stripe.events.v1")) == 1


@pytest.mark.parametrize(
    ("changes", "disposition"),
    [
        ({"livemode": True}, "wrong_mode"),
        ({"type": "invoice.paid"}, "unknown_type"),
        ({"account": None}, "no_account"),
        ({"account": "acct_somebody_elses"}, "unknown_account"),
    ],
)
async def test_what_is_not_for_us_is_kept_with_its_reason_and_goes_no_further(
    stand: Stand, edge: Served, changes: dict[str, Any], disposition: str
) -> None:
    organization, account = await connected(stand)
    bodies = [event(**{"account": account, **changes}) for _ in range(50)]
    answers = await asyncio.gather(*(send(edge, body) for body in bodies))
    assert {answer.status for answer in answers} == {200}
    for body in bodies:
        [row] = await stored(stand, body)
        assert row["disposition"] == disposition
    assert await stand.messages(organization, "stripe.events.v1") == []
    figures = (await edge.get("/metrics")).body.decode()
    assert f'amply_edge_stripe_events_total{{disposition="{disposition}"}}' in figures
    # A real event afterwards still works.
    assert (await send(edge, event(account))).status == 200
    assert len(await stand.messages(organization, "stripe.events.v1")) == 1


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"id":"evt_1"}', b'{"id":"\\u0000"}'])
async def test_what_is_malformed_but_signed_is_kept_once_and_accepted(
    stand: Stand, edge: Served, body: bytes
) -> None:
    before = await stand.fetch("SELECT count(*) AS n FROM messages.outbox")
    for _ in range(2):
        assert (await send(edge, body)).status == 200
    rows = await stand.fetch(
        "SELECT id FROM edge.stripe_events WHERE disposition = 'malformed' AND id = 'malformed_'"
        " || encode(sha256($1), 'hex')",
        body,
    )
    assert len(rows) == 1
    assert await stand.fetch("SELECT count(*) AS n FROM messages.outbox") == before


def verified(figures: str, endpoint: str, number: int) -> float:
    name = f'amply_edge_stripe_signatures_total{{endpoint="{endpoint}",secret="{number}"}} '
    [line] = [line for line in figures.splitlines() if line.startswith(name)]
    return float(line.removeprefix(name))


@pytest.mark.parametrize(
    ("path", "endpoint", "both"),
    [(OURS, "account", ACCOUNT_SECRETS), (CONNECT, "connect", WEBHOOK_SECRETS)],
)
async def test_either_secret_of_an_endpoint_serves_and_is_counted(
    edge: Served, path: str, endpoint: str, both: tuple[str, str]
) -> None:
    for number, secret in enumerate(both):
        before = (await edge.get("/metrics")).body.decode()
        for away_s in (0, 40, -299):
            answer = await send(edge, event(None), secret=secret, away_s=away_s, path=path)
            assert answer.status == 200
        after = (await edge.get("/metrics")).body.decode()
        other = 1 - number
        assert verified(after, endpoint, number) == verified(before, endpoint, number) + 3
        assert verified(after, endpoint, other) == verified(before, endpoint, other), "it rests"


async def test_a_secret_serves_its_own_endpoint_only(edge: Served) -> None:
    for path, secret in ((OURS, WEBHOOK_SECRETS[0]), (CONNECT, ACCOUNT_SECRETS[0])):
        answer = await send(edge, event(None), secret=secret, path=path)
        assert (answer.status, answer.code) == (400, "signature_wrong")


@pytest.mark.parametrize(("off", "on"), [(OURS, CONNECT), (CONNECT, OURS)])
async def test_an_endpoint_without_secrets_is_off(stand: Stand, off: str, on: str) -> None:
    known = {OURS: ACCOUNT_SECRETS, CONNECT: WEBHOOK_SECRETS, off: ()}
    body = event(None)
    async with stand.serve(
        stripe_account_secrets=known[OURS], stripe_connect_secrets=known[CONNECT]
    ) as edge:
        now = int(time.time())
        signature = hmac.digest(b"", b"%d." % now + body, "sha256").hex()
        headers = {"Stripe-Signature": f"t={now},v1={signature}"}
        answer = await edge.ask("POST", off, data=body, headers=headers)
        assert (answer.status, answer.code) == (404, "not_found")
        assert (await send(edge, body, secret=known[on][0], path=on)).status == 200


@pytest.mark.parametrize(
    ("changes", "disposition"),
    [
        ({}, "wrong_endpoint"),
        ({"account": None, "type": "application_fee.created"}, "unknown_type"),
        ({"account": None}, "no_account"),
        ({"account": None, "livemode": True}, "wrong_mode"),
    ],
)
async def test_what_comes_to_our_own_accounts_endpoint_is_kept_and_goes_no_further(
    stand: Stand, edge: Served, changes: dict[str, Any], disposition: str
) -> None:
    organization, account = await connected(stand)
    body = event(**{"account": account, **changes})
    assert (await send(edge, body, secret=ACCOUNT_SECRETS[0], path=OURS)).status == 200
    [row] = await stored(stand, body)
    assert row["disposition"] == disposition
    assert await stand.messages(organization, "stripe.events.v1") == []


async def test_forged_stale_and_future_ones_are_refused(stand: Stand, edge: Served) -> None:
    organization, account = await connected(stand)
    body = event(account)
    refused = [
        (await send(edge, body, secret="whsec_of_somebody_else"), "signature_wrong"),
        (await send(edge, body, away_s=-400), "signature_out_of_time"),
        (await send(edge, body, away_s=600), "signature_out_of_time"),
        (await edge.ask("POST", CONNECT, data=body), "signature_malformed"),
    ]
    for header in ("nonsense", "t=x,v1=y", "t=1", "," * 4000, "v1=" + "0" * 8000):
        headers = {"Stripe-Signature": header}
        answer = await edge.ask("POST", CONNECT, data=body, headers=headers)
        refused.append((answer, "signature_malformed"))
    for answer, code in refused:
        assert (answer.status, answer.code) == (400, code)
    assert await stored(stand, body) == []
    assert await stand.messages(organization, "stripe.events.v1") == []


async def test_a_retired_secret_fails(stand: Stand) -> None:
    _, account = await connected(stand)
    async with stand.serve(stripe_connect_secrets=WEBHOOK_SECRETS[1:]) as later:
        old = await send(later, event(account), secret=WEBHOOK_SECRETS[0])
        new = await send(later, event(account), secret=WEBHOOK_SECRETS[1])
    assert (old.status, old.code, new.status) == (400, "signature_wrong", 200)
