"""Every request that our gateways make of Stripe is one that Stripe's own stripe-mock accepts."""

import inspect
import pkgutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any
from uuid import UUID

import pytest
import stripe

from deploy.embedded.cache import Cache
from tests.engines import LoopThread
from tests.thirdparty.stripe_mock import NotingClient, build, gateway_at, running
from tests.thirdparty.tools import BUILD_S_MAX
from workers import gateways
from workers.gateways import (
    stripe_accounts,
    stripe_balance,
    stripe_cards,
    stripe_charges,
    stripe_disputes,
    stripe_payments,
    stripe_payouts,
    stripe_refunds,
)
from workers.gateways.stripe_gateway import StripeGateway
from workers.gateways.stripe_listing import Listing

pytestmark = pytest.mark.timeout(BUILD_S_MAX)

WHEN = datetime(2026, 10, 1, tzinfo=UTC)
ACCOUNT = "acct_1"
DONATION, ORGANIZATION = "don_" + "0" * 26, "org_" + "0" * 26

Call = Callable[[StripeGateway], Awaitable[Any]]


def intent(**changes: Any) -> Call:
    values: dict[str, Any] = {
        "donation": DONATION,
        "organization": ORGANIZATION,
        "amount_minor": 2500,
        "currency": "USD",
        "payment_method": "pm_card_visa",
        "attempt": 1,
    }
    return lambda gateway: gateway.create_intent(ACCOUNT, **values | changes)


def link(fields: Any) -> Call:
    return lambda gateway: stripe_accounts.create_link(
        *(gateway, ACCOUNT, "request"),
        fields=fields,
        return_url="https://example.org/return",
        refresh_url="https://example.org/refresh",
    )


def refund(reason: str, *, returns_platform_fee: bool) -> Call:
    return lambda gateway: stripe_refunds.create_refund(
        *(gateway, ACCOUNT),
        charge="ch_1",
        refund="rfd_1",
        donation=DONATION,
        organization=ORGANIZATION,
        amount_minor=100,
        currency="USD",
        reason=reason,
        returns_platform_fee=returns_platform_fee,
        attempt=1,
    )


def schedule(**wanted: Any) -> Call:
    return lambda gateway: stripe_payouts.set_schedule(gateway, ACCOUNT, wanted)


def cancel(reason: str) -> Call:
    return lambda gateway: stripe_payments.cancel_intent(
        gateway, ACCOUNT, "pi_1", command=UUID(int=1), reason=reason
    )


def pages(of: Callable[[Listing], AsyncIterator[Any]]) -> Call:
    async def first(gateway: StripeGateway) -> None:
        # The fixtures say that there are more pages, for ever: one is enough.
        async for _ in of(Listing(gateway, 0.0)):
            return

    return first


def listed(of: Callable[[Listing], Awaitable[Any]]) -> Call:
    return lambda gateway: of(Listing(gateway, 0.0))


#: Function -> ways to call it that differ in what they send.
CALLS: dict[str, list[Call]] = {
    "stripe_gateway.StripeGateway.create_intent": [
        intent(),
        intent(payment_method=None),
        intent(platform_fee_minor=25),
        intent(currency="JPY"),
    ],
    "stripe_gateway.StripeGateway.find_intent": [lambda g: g.find_intent(ACCOUNT, DONATION)],
    "stripe_gateway.StripeGateway.fetch_intent": [
        lambda g: g.fetch_intent(ACCOUNT, "pi_1"),
        lambda g: g.fetch_intent(ACCOUNT, "ch_1"),
    ],
    "stripe_payments.confirm_intent": [
        lambda g: stripe_payments.confirm_intent(
            *(g, ACCOUNT, "pi_1"),
            donation=DONATION,
            payment_method="pm_1",
            attempt=2,
            return_url="https://example.org/return",
        )
    ],
    "stripe_payments.cancel_intent": [cancel("requested_by_customer"), cancel("abandoned")],
    "stripe_accounts.create_account": [
        lambda g: stripe_accounts.create_account(g, ORGANIZATION, 1, "DE", WHEN)
    ],
    "stripe_accounts.find_account": [
        lambda g: stripe_accounts.find_account(g, ORGANIZATION, 1, WHEN)
    ],
    "stripe_accounts.create_link": [link("currently_due"), link("eventually_due")],
    "stripe_accounts.fetch_account": [lambda g: stripe_accounts.fetch_account(g, ACCOUNT)],
    "stripe_balance.list_lines": [lambda g: stripe_balance.list_lines(g, ACCOUNT)],
    "stripe_balance.lines_of_payout": [
        lambda g: stripe_balance.lines_of_payout(g, ACCOUNT, "po_1")
    ],
    "stripe_balance.lines_until": [
        lambda g: stripe_balance.lines_until(g, ACCOUNT, "EUR", first=None, last=WHEN),
        lambda g: stripe_balance.lines_until(g, ACCOUNT, "EUR", first=WHEN, last=WHEN),
    ],
    "stripe_balance.fetch_line": [lambda g: stripe_balance.fetch_line(g, ACCOUNT, "txn_1")],
    "stripe_balance.fetch_available": [lambda g: stripe_balance.fetch_available(g, ACCOUNT)],
    "stripe_balance.fetch_origin": [
        lambda g: stripe_balance.fetch_origin(g, ACCOUNT, "ch_1"),
        lambda g: stripe_balance.fetch_origin(g, ACCOUNT, "re_1"),
        lambda g: stripe_balance.fetch_origin(g, ACCOUNT, "du_1"),
    ],
    "stripe_cards.fetch_fingerprint": [
        lambda g: stripe_cards.fetch_fingerprint(g, ACCOUNT, "pm_card_visa")
    ],
    "stripe_charges.fetch_charge": [lambda g: stripe_charges.fetch_charge(g, ACCOUNT, "ch_1")],
    "stripe_disputes.fetch_dispute": [lambda g: stripe_disputes.fetch_dispute(g, ACCOUNT, "du_1")],
    "stripe_disputes.list_disputes": [lambda g: stripe_disputes.list_disputes(g, ACCOUNT, "ch_1")],
    "stripe_refunds.create_refund": [
        refund("requested_by_customer", returns_platform_fee=True),
        refund("duplicate", returns_platform_fee=False),
        refund("fraudulent", returns_platform_fee=False),
    ],
    "stripe_refunds.fetch_refund": [lambda g: stripe_refunds.fetch_refund(g, ACCOUNT, "re_1")],
    "stripe_refunds.list_refunds": [lambda g: stripe_refunds.list_refunds(g, ACCOUNT, "ch_1")],
    "stripe_payouts.fetch_payout": [lambda g: stripe_payouts.fetch_payout(g, ACCOUNT, "po_1")],
    "stripe_payouts.create_payout": [
        lambda g: stripe_payouts.create_payout(
            *(g, ACCOUNT), amount=1000, currency="EUR", name="pay_1", attempt=1
        )
    ],
    "stripe_payouts.find_payout": [
        lambda g: stripe_payouts.find_payout(g, ACCOUNT, name="pay_1", attempt=1)
    ],
    "stripe_payouts.set_schedule": [
        schedule(interval="manual"),
        schedule(interval="daily"),
        schedule(interval="weekly", weekly_anchor="monday"),
        schedule(interval="monthly", monthly_anchor=31),
    ],
    "stripe_listing.Listing.movements": [
        pages(lambda listing: listing.movements(ACCOUNT, None)),
        pages(lambda listing: listing.movements(ACCOUNT, WHEN)),
    ],
    "stripe_listing.Listing.movement": [listed(lambda one: one.movement(ACCOUNT, "txn_1"))],
    "stripe_listing.Listing.source_charge": [
        listed(lambda one: one.source_charge(ACCOUNT, "ch_1"))
    ],
    "stripe_listing.Listing.intent_of": [listed(lambda one: one.intent_of(ACCOUNT, DONATION))],
    "stripe_listing.Listing.balance": [listed(lambda one: one.balance(ACCOUNT))],
    "stripe_listing.Listing.undelivered": [
        pages(lambda listing: listing.undelivered(ACCOUNT, None)),
        pages(lambda listing: listing.undelivered(None, WHEN)),
    ],
}


def functions_of(module: ModuleType) -> Iterator[tuple[str, FunctionType]]:
    """The functions and methods that a module defines, by name."""
    for name, thing in vars(module).items():
        if getattr(thing, "__module__", "") != module.__name__:
            continue
        for method, member in (vars(thing) if inspect.isclass(thing) else {"": thing}).items():
            function = inspect.unwrap(member) if callable(member) else None
            if isinstance(function, FunctionType):
                yield f"{name}.{method}".rstrip("."), function


def names_in(code: CodeType) -> set[str]:
    """The globals and attributes that a function uses, those of functions within it too."""
    inner = [names_in(one) for one in code.co_consts if isinstance(one, CodeType)]
    return set(code.co_names).union(*inner)


def asking() -> set[str]:
    """Every public function and method of the gateways that asks Stripe, by way of others too."""
    modules = [
        import_module(f"{gateways.__name__}.{module.name}")
        for module in pkgutil.iter_modules(gateways.__path__)
        if module.name.startswith("stripe_")
    ]
    uses = {
        f"{module.__name__.rpartition('.')[2]}.{name}": names_in(function.__code__)
        for module in modules
        for name, function in functions_of(module)
    }
    asks: set[str] = set()
    while True:
        ways = {"ask", *(name.rpartition(".")[2] for name in asks)}
        more = {name for name, used in uses.items() if used & ways}
        if more == asks:
            return {name for name in asks if not any(map(is_private, name.split(".")))}
        asks = more


def is_private(name: str) -> bool:
    return name.startswith("_")


def test_each_function_that_asks_stripe_is_called_here() -> None:
    assert asking() ^ set(CALLS) == set(), "give it a row in CALLS, or take it out"


@pytest.fixture(scope="module")
def stripe_mock(
    engine_loop: LoopThread, engine_cache: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    program = engine_loop.run(build(Cache(engine_cache, print)))
    with running(program, tmp_path_factory.mktemp("stripe-mock")) as url:
        yield url


@pytest.fixture
async def noting() -> AsyncIterator[NotingClient]:
    client = NotingClient()
    yield client
    await client.close_async()  # type: ignore[no-untyped-call]  # stripe leaves it so


@pytest.mark.parametrize(
    ("name", "number"), [(name, number) for name in CALLS for number in range(len(CALLS[name]))]
)
async def test_stripe_mock_accepts_what_is_sent(
    stripe_mock: str, noting: NotingClient, name: str, number: int
) -> None:
    await CALLS[name][number](gateway_at(stripe_mock, noting))
    assert noting.exchanges
    assert [one for one in noting.exchanges if one.status != 200] == []


@pytest.mark.parametrize(
    ("method", "path", "given"),
    [
        ("post", "/v1/refunds", {"charge": "ch_1", "amount_minor": 100}),
        ("post", "/v1/refunds", {"charge": "ch_1", "reason": "regret"}),
        ("post", "/v1/payouts", {"amount": 100}),
        ("get", "/v1/balance_transactions", {"since": 1}),
        ("get", "/v1/gifts", {}),
    ],
)
async def test_it_refuses_what_stripe_does_not_know(
    stripe_mock: str, noting: NotingClient, method: str, path: str, given: dict[str, Any]
) -> None:
    with suppress(stripe.StripeError):
        await gateway_at(stripe_mock, noting).ask(method, path, ACCOUNT, **given)
    assert [one.status for one in noting.exchanges] in ([400], [404])
