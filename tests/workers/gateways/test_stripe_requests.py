"""Every request that payments makes of Stripe, as the official library sends it, by strict tables.

The sandbox refuses by name what Stripe does not know, so a request that passes its tables is one
that Stripe understands.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from contracts.money import EXPONENTS, charge_step
from deploy.sandbox import form, routes
from deploy.sandbox.calls import API_VERSION as SANDBOX_VERSION
from workers.gateways.stripe_gateway import API_VERSION, StripeGateway, open_stripe
from workers.gateways.stripe_payments import cancel_intent, confirm_intent

pytestmark = pytest.mark.asyncio

INTENT: dict[str, Any] = {
    "id": "pi_1",
    "object": "payment_intent",
    "status": "requires_payment_method",
    "amount": 2500,
    "currency": "eur",
    "metadata": {},
    "payment_intent": "pi_1",  # So that it passes for a charge, too.
    "data": [],
}


@dataclass
class Seen:
    """What came in: method, path, parameters, headers."""

    requests: list[tuple[str, str, dict[str, Any], Any]] = field(default_factory=list)


@pytest.fixture
async def seen() -> AsyncIterator[tuple[StripeGateway, Seen]]:
    noted = Seen()

    async def take(request: web.Request) -> web.Response:
        raw = request.query_string.encode() if request.method == "GET" else await request.read()
        given = form.nest(form.read_pairs(raw))
        noted.requests.append((request.method, request.path, given, request.headers))
        return web.json_response(INTENT)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", take)
    async with TestServer(app) as server:
        settings = {"AMPLY_STRIPE": str(server.make_url("/")), "AMPLY_STRIPE_KEY": "sk_test_1"}
        async with open_stripe(settings, "payments") as gateway:
            yield gateway, noted


def create(**changes: Any) -> Callable[[StripeGateway], Awaitable[Any]]:
    values: dict[str, Any] = {
        "donation": "don_" + "0" * 26,
        "organization": "org_" + "0" * 26,
        "amount_minor": 2500,
        "currency": "EUR",
        "payment_method": "pm_card_visa",
        "attempt": 1,
    }
    return lambda gateway: gateway.create_intent("acct_1", **values | changes)


CALLS: dict[str, Callable[[StripeGateway], Awaitable[Any]]] = {
    "create and confirm": create(),
    "create for the client": create(payment_method=None),
    "create with the platform's share": create(platform_fee_minor=25),
    "search": lambda gateway: gateway.find_intent("acct_1", "don_" + "0" * 26),
    "fetch": lambda gateway: gateway.fetch_intent("acct_1", "pi_1"),
    "fetch by charge": lambda gateway: gateway.fetch_intent("acct_1", "ch_1"),
    "confirm again": lambda gateway: confirm_intent(
        *(gateway, "acct_1", "pi_1"),
        donation="don_1",
        payment_method="pm_1",
        attempt=2,
        return_url=None,
    ),
    "confirm where redirects are allowed": lambda gateway: confirm_intent(
        *(gateway, "acct_1", "pi_1"),
        donation="don_1",
        payment_method="pm_1",
        attempt=2,
        return_url="https://amply.test",
    ),
    "cancel": lambda gateway: cancel_intent(
        *(gateway, "acct_1", "pi_1"), command=UUID(int=1), reason="requested_by_customer"
    ),
    "expire": lambda gateway: cancel_intent(
        *(gateway, "acct_1", "pi_1"), command=UUID(int=2), reason="abandoned"
    ),
}


def accept(requests: list[tuple[str, str, dict[str, Any], Any]]) -> list[dict[str, Any]]:
    """The checked parameters of each request; StripeError where one would be refused."""
    parsed = []
    for method, path, given, headers in requests:
        found = routes.find(method, path)
        assert found is not None, f"{method} {path} is served by nobody"
        parsed.append(found[0].shape.parse(given))
        assert headers["Stripe-Version"] == API_VERSION == SANDBOX_VERSION
        assert headers["Stripe-Account"] == "acct_1"
        assert ("Idempotency-Key" in headers) == (method == "POST")
    return parsed


@pytest.mark.parametrize("name", CALLS)
async def test_request_is_accepted_by_strict_tables(
    seen: tuple[StripeGateway, Seen], name: str
) -> None:
    gateway, noted = seen
    await CALLS[name](gateway)
    assert accept(noted.requests)


async def test_each_write_names_its_try_by_a_key_of_its_own(
    seen: tuple[StripeGateway, Seen],
) -> None:
    gateway, noted = seen
    for call in (create(), create(), create(attempt=2), CALLS["confirm again"], CALLS["cancel"]):
        await call(gateway)
    first, again, *others = [headers["Idempotency-Key"] for *_, headers in noted.requests]
    assert first == again
    assert len({first, *others}) == 4
    assert all(len(key) == 64 for key in (first, *others))


async def test_a_charge_in_every_currency_is_an_integer_that_stripe_takes(
    seen: tuple[StripeGateway, Seen],
) -> None:
    gateway, noted = seen
    for currency in EXPONENTS:
        step = charge_step(currency)
        await create(currency=currency, amount_minor=500 * step, platform_fee_minor=step)(gateway)
    sent = {made["currency"]: made for made in accept(noted.requests)}
    assert set(sent) == {currency.lower() for currency in EXPONENTS}
    assert (sent["jpy"]["amount"], sent["isk"]["amount"], sent["kwd"]["amount"]) == (
        500,
        50_000,
        5000,
    )
    assert (sent["ugx"]["application_fee_amount"], sent["huf"]["amount"]) == (100, 500)
