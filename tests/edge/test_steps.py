"""Trying again and canceling: what is taken in, once for each key, and what is refused."""

from typing import Any

import orjson
import pytest

from contracts.donations import DonationRequested
from contracts.payments import PaymentAttemptRequested, PaymentCancelRequested
from ledger import keys
from tests.edge.stand import Answer, Served, Stand, gift
from tests.edge.test_reading import another_key, project

pytestmark = pytest.mark.asyncio

ATTEMPTS, CANCELS = "payments.attempt_requested.v1", "payments.cancel_requested.v1"


class Given:
    """A gift, and what is asked of it."""

    def __init__(self, stand: Stand, edge: Served, registered: Any, donation: str) -> None:
        self.stand, self.edge, self.registered, self.donation = stand, edge, registered, donation

    async def ask(
        self, step: str, body: object = None, *, secret: str | None = None, **how: Any
    ) -> Answer:
        return await self.edge.donate(
            body or {},
            secret or self.registered.key.secret,
            path=f"/v1/donations/{self.donation}/{step}",
            **how,
        )

    async def told(self, topic: str) -> list[Any]:
        return [
            orjson.loads(row["value"])
            for row in await self.stand.messages(self.registered.id, topic)
        ]

    async def is_now(self, status: str, **more: Any) -> None:
        await project(self.stand, self.registered.id, self.donation, status, **more)


async def given(stand: Stand, edge: Served, **changes: Any) -> Given:
    registered = await stand.register()
    posted = await edge.donate(gift(registered.id, **changes), registered.key.secret)
    assert posted.status == 202, posted.body
    return Given(stand, edge, registered, posted.json["id"])


async def test_another_attempt_is_asked_for_once_for_each_key(stand: Stand, edge: Served) -> None:
    there = await given(stand, edge)
    await there.is_now("failed", failure_code="card_declined")
    first = await there.ask("attempts", {"payment_method": "pm_2"}, key="again")
    assert (first.status, first.json["status"], first.json["attempt"]) == (202, "pending", 2)
    assert first.headers["Location"] == f"/v1/donations/{there.donation}"
    repeated = await there.ask("attempts", {"payment_method": "pm_2"}, key="again")
    assert (repeated.body, repeated.headers["Idempotent-Replayed"]) == (first.body, "true")
    other = await there.ask("attempts", {"payment_method": "pm_3"}, key="again")
    assert (other.status, other.code) == (422, "idempotency_key_reused")
    [message] = await there.told(ATTEMPTS)
    assert PaymentAttemptRequested.model_validate(message) == PaymentAttemptRequested(
        donation=there.donation, payment_method="pm_2", requested_by=there.registered.key.id
    )
    # The key is free for other gifts and steps.
    assert (await there.ask("cancel", key="again")).status == 202


async def test_an_attempt_may_be_left_to_the_client(stand: Stand, edge: Served) -> None:
    there = await given(stand, edge)
    await there.is_now("requires_action")
    assert (await there.ask("attempts", b"")).status == 202
    [message] = await there.told(ATTEMPTS)
    assert message["payment_method"] is None


async def test_cancel_is_asked_for_while_nothing_is_paid(stand: Stand, edge: Served) -> None:
    there = await given(stand, edge)
    answer = await there.ask("cancel", b"")
    assert (answer.status, answer.json["status"]) == (202, "pending")
    [message] = await there.told(CANCELS)
    assert PaymentCancelRequested.model_validate(message) == PaymentCancelRequested(
        donation=there.donation, reason="canceled"
    )


@pytest.mark.parametrize(
    ("status", "attempts", "cancel"),
    [
        ("pending", "donation_pending", None),
        ("requires_action", None, None),
        ("failed", None, None),
        ("processing", "donation_paid", "donation_paid"),
        ("captured", "donation_paid", "donation_paid"),
        ("recorded", "donation_paid", "donation_paid"),
        ("canceled", "donation_closed", "donation_closed"),
        ("expired", "donation_closed", "donation_closed"),
    ],
)
async def test_what_each_state_allows(
    stand: Stand, edge: Served, status: str, attempts: str | None, cancel: str | None
) -> None:
    there = await given(stand, edge)
    await there.is_now(status)
    for step, code in (("attempts", attempts), ("cancel", cancel)):
        answer = await there.ask(step)
        assert answer.status == (202 if code is None else 409), answer.body
        assert code is None or answer.code == code


async def test_only_keys_that_see_the_gift_and_may_write(stand: Stand, edge: Served) -> None:
    there = await given(stand, edge)
    stranger = await stand.register()
    reader, _ = await another_key(stand, there.registered.id, "donations:read")
    for step in ("attempts", "cancel"):
        answer = await there.ask(step, secret=stranger.key.secret)
        assert (answer.status, answer.code) == (404, "donation_not_found")
        assert (await there.ask(step, secret=reader)).code == "scope_missing"
    assert await there.told(CANCELS) == []


@pytest.mark.parametrize(
    ("step", "body", "code"),
    [
        ("attempts", {"payment_method": "4242424242424242"}, "invalid_body"),
        ("attempts", {"amount_minor": 1}, "invalid_body"),
        ("cancel", {"reason": "x"}, "invalid_body"),
        ("cancel", b"[", "malformed_json"),
    ],
)
async def test_bodies_that_break_a_rule(
    stand: Stand, edge: Served, step: str, body: object, code: str
) -> None:
    there = await given(stand, edge)
    await there.is_now("failed")
    assert (await there.ask(step, body)).code == code


async def test_a_gift_left_to_the_client_shows_all_that_stripes_library_needs(
    stand: Stand,
) -> None:
    async with stand.serve(stripe_publishable_key="pk_test_1") as edge:
        there = await given(stand, edge, payment_method=...)
        [message] = await there.told("donations.requested.v1")
        assert DonationRequested.model_validate(message).payment_method is None
        key = keys.derive(stand.settings.master_key, "client-secret")
        secret = keys.encrypt(key, b"pi_1_secret_2", there.donation.encode())
        await stand.fetch(
            "INSERT INTO payments.attempts (organization, donation, state, account,"
            " payment_intent, request, on_client)"
            " VALUES ($1, $2, 'requires_action', 'acct_1', 'pi_1', '', true)",
            *(there.registered.id, there.donation),
        )
        await stand.fetch(
            "INSERT INTO payments.client_secrets (organization, donation, ciphertext)"
            " VALUES ($1, $2, $3)",
            *(there.registered.id, there.donation, secret),
        )
        await there.is_now("requires_action")
        shown = await edge.get(f"/v1/donations/{there.donation}", there.registered.key.secret)
    assert shown.json["next_action"] == {
        "type": "confirm_payment",
        "client_secret": "pi_1_secret_2",
        "publishable_key": "pk_test_1",
        "account": "acct_1",
    }


@pytest.mark.parametrize(
    ("currency", "named", "expected"),
    [("EUR", None, "EUR"), ("USD", None, "USD"), ("JPY", None, "EUR"), ("USD", "EUR", "EUR")],
)
async def test_a_gift_in_any_currency_finds_a_fund_and_the_message_says_what_it_holds(
    stand: Stand, edge: Served, currency: str, named: str | None, expected: str
) -> None:
    registered = await stand.register(currencies=("EUR", "USD"))
    body = gift(registered.id, currency=currency)
    if named is not None:
        body["fund"] = registered.funds[named]
    posted = await edge.donate(body, registered.key.secret)
    assert (posted.status, posted.json["fund"]) == (202, registered.funds[expected])
    [row] = await stand.messages(registered.id, "donations.requested.v1")
    told = DonationRequested.model_validate_json(row["value"])
    assert told.fund_currency == (None if currency == expected else expected)
