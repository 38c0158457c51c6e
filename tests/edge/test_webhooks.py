"""Webhooks: kept and passed on once, refused when not Stripe's, accepted when not for us."""

import asyncio
import secrets
import time
from typing import Any

import orjson
import pytest
import stripe

from contracts.stripe_events import StripeEventReceived
from edge.webhooks.reception import _PURPOSE
from ledger import keys
from tests.edge.stand import WEBHOOK_SECRETS, Answer, Served, Stand

pytestmark = pytest.mark.asyncio


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
    edge: Served, body: bytes, *, secret: str = WEBHOOK_SECRETS[1], away_s: int = 0
) -> Answer:
    header = stripe.WebhookSignature.generate_signature_header(
        body.decode("latin-1") if not body.isascii() else body.decode(),
        secret,
        timestamp=int(time.time()) + away_s,
    )
    return await edge.ask(
        "POST", "/webhooks/stripe/connect", data=body, headers={"Stripe-Signature": header}
    )


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


@pytest.mark.parametrize("secret", WEBHOOK_SECRETS)
@pytest.mark.parametrize("away_s", [0, 40, -250])
async def test_each_secret_serves_and_is_counted(
    stand: Stand, edge: Served, secret: str, away_s: int
) -> None:
    _, account = await connected(stand)
    number = WEBHOOK_SECRETS.index(secret)
    assert (await send(edge, event(account), secret=secret, away_s=away_s)).status == 200
    figures = (await edge.get("/metrics")).body.decode()
    assert f'amply_edge_stripe_signatures_total{{secret="{number}"}}' in figures


async def test_forged_stale_and_future_ones_are_refused(stand: Stand, edge: Served) -> None:
    organization, account = await connected(stand)
    body = event(account)
    refused = [
        (await send(edge, body, secret="whsec_of_somebody_else"), "signature_wrong"),
        (await send(edge, body, away_s=-400), "signature_out_of_time"),
        (await send(edge, body, away_s=600), "signature_out_of_time"),
        (await edge.ask("POST", "/webhooks/stripe/connect", data=body), "signature_malformed"),
    ]
    for header in ("nonsense", "t=x,v1=y", "t=1"):
        headers = {"Stripe-Signature": header}
        answer = await edge.ask("POST", "/webhooks/stripe/connect", data=body, headers=headers)
        refused.append((answer, "signature_malformed"))
    for answer, code in refused:
        assert (answer.status, answer.code) == (400, code)
    assert await stored(stand, body) == []
    assert await stand.messages(organization, "stripe.events.v1") == []


async def test_a_retired_secret_fails(stand: Stand) -> None:
    _, account = await connected(stand)
    async with stand.serve(stripe_webhook_secrets=WEBHOOK_SECRETS[1:]) as later:
        old = await send(later, event(account), secret=WEBHOOK_SECRETS[0])
        new = await send(later, event(account), secret=WEBHOOK_SECRETS[1])
    assert (old.status, old.code, new.status) == (400, "signature_wrong", 200)
