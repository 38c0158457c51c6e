"""Every object in every state that it can reach is what Stripe's OpenAPI document says.

The stories and the walks below are played with all answers, and all that is listed afterwards,
checked against the published schemas; together they must have reached every state.
"""

from collections.abc import Iterable

import pytest

from deploy.sandbox.cards import CARDS
from deploy.sandbox.debits import DEBITS, TERMS
from deploy.sandbox.scenarios.playing import play
from deploy.sandbox.scenarios.reaching import RefusedError
from deploy.sandbox.scenarios.story import DirectGiver
from deploy.sandbox.scenarios.table import SCENARIOS
from tests.deploy.sandbox.harness import SCHEMA
from tests.deploy.sandbox.scenarios.checked import Checked, State
from tests.histories.sandbox import in_process

DAY_S = 86_400


async def intents(made: Checked) -> None:
    account = await made.account()
    plain = {"amount": 5000, "currency": "eur"}
    await made.ask("POST", "/v1/payment_intents", account, **plain)
    await made.ask("POST", "/v1/payment_intents", account, payment_method="pm_card_visa", **plain)
    for amount in (3000, 5000):
        held = await made.pay(account, capture_method="manual")
        path = f"/v1/payment_intents/{held['id']}/capture"
        await made.ask("POST", path, account, amount_to_capture=amount)
    held = await made.pay(account, capture_method="manual")
    await made.ask("POST", f"/v1/payment_intents/{held['id']}/cancel", account)
    await made.ask("GET", f"/v1/payment_methods/{held['payment_method']}", account)
    await made.look(account)


async def cards(made: Checked) -> None:
    account = await made.account()
    for name in CARDS:
        await made.pay(account, name)
        await made.control("clock", advance_s=61)
    await made.look(account)


async def debits(made: Checked) -> None:
    for country, methods in (("DE", "sepa_debit"), ("US", "us_bank_account"), ("GB", "bacs_debit")):
        account = await made.account(country)
        for name, debit in DEBITS.items():
            if debit.method == methods:
                await made.pay(account, name, currency=TERMS[debit.method].currency)
        paid = await made.pay(account, next(iter(_of(methods))), currency=TERMS[methods].currency)
        await made.look(account)
        await made.control("clock", advance_s=6 * DAY_S)
        await made.control(f"charges/{paid['latest_charge']}/refunds", amount=100)
        await made.look(account)


def _of(method: str) -> Iterable[str]:
    return (name for name, debit in DEBITS.items() if debit.method == method)


async def refunds(made: Checked) -> None:
    account = await made.account()
    for path in (
        ("pending", "succeeded", "failed"),
        ("requires_action", "succeeded"),
        ("requires_action", "canceled"),
        ("pending", "failed"),
    ):
        charge = (await made.pay(account, application_fee_amount=500))["latest_charge"]
        given = {"status": path[0], "refund_application_fee": True}
        refund = await made.control(f"charges/{charge}/refunds", **given)
        for status in path[1:]:
            await made.look(account)
            await made.control(f"refunds/{refund['id']}", status=status)
        await made.look(account)


async def disputes(made: Checked) -> None:
    account = await made.account()
    for path in (
        ("warning_needs_response", "warning_under_review", "warning_closed"),
        ("warning_needs_response", "needs_response", "under_review", "lost", "won"),
        ("needs_response", "won"),
        ("prevented",),
    ):
        charge = (await made.pay(account))["latest_charge"]
        dispute = await made.control(f"charges/{charge}/dispute", status=path[0])
        for status in path[1:]:
            await made.look(account)
            await made.control(f"disputes/{dispute['id']}", status=status)
        await made.look(account)


async def payouts(made: Checked) -> None:
    account = await made.account("US")
    parameters = {"amount": 100, "currency": "usd"}
    await made.pay(account, "pm_card_bypassPending", currency="usd")
    for path in ((), ("paid",), ("in_transit", "paid", "failed")):
        payout = await made.ask("POST", "/v1/payouts", account, **parameters)
        for status in path:
            await made.look(account)
            await made.control(f"payouts/{payout['id']}", status=status)
        if not path:
            await made.ask("POST", f"/v1/payouts/{payout['id']}/cancel", account)
        elif path == ("paid",):
            await made.ask("POST", f"/v1/payouts/{payout['id']}/reverse", account)
        await made.look(account)
    await made.control(f"accounts/{account}/fees", amount=200)
    await made.control(f"accounts/{account}/fees", amount=20, type="tax_fee")
    await made.look(account)


async def accounts(made: Checked) -> None:
    new = await made.ask("POST", "/v1/accounts", country="DE")
    links = {"return_url": "https://example.org/a", "refresh_url": "https://example.org/b"}
    await made.ask("GET", f"/v1/accounts/{new['id']}/capabilities/card_payments")
    await made.ask(
        *("POST", "/v1/account_links", None),
        account=new["id"],
        type="account_onboarding",
        **links,
    )
    await made.look(new["id"])
    account = await made.account()
    for given in (
        {"charges_enabled": False, "disabled_reason": "requirements.past_due"},
        {"under_review": True},
        {"currently_due": ["external_account"], "past_due": ["business_profile.url"]},
        {"charges_enabled": True},
        {"pending_verification": ["business_profile.url"]},
        {"charges_enabled": True, "payouts_enabled": True},
    ):
        await made.control(f"accounts/{account}", **given)
        await made.look(account)
    [bank] = (await made.ask("GET", f"/v1/accounts/{account}/external_accounts"))["data"]
    for status in ("validated", "verified", "verification_failed", "errored", "new"):
        path = f"accounts/{account}/external_accounts/{bank['id']}"
        await made.control(path, status=status)
        await made.look(account)
    rejected = await made.account(type="express")
    await made.ask("POST", f"/v1/accounts/{rejected}/reject", reason="fraud")
    await made.look(rejected)
    await made.ask("DELETE", f"/v1/accounts/{rejected}")
    await made.control(f"accounts/{account}/deauthorize")
    with pytest.raises(RefusedError):
        await made.ask("GET", "/v1/balance", account)


async def webhooks(made: Checked) -> None:
    given = {"url": "http://127.0.0.1:9/", "enabled_events[]": "*"}
    endpoint = await made.ask("POST", "/v1/webhook_endpoints", **given)
    path = f"/v1/webhook_endpoints/{endpoint['id']}"
    await made.ask("POST", path, disabled="true")
    await made.ask("GET", "/v1/webhook_endpoints")
    await made.ask("DELETE", path)


WALKS = (intents, cards, debits, refunds, disputes, payouts, accounts, webhooks)
#: Stripe's documents name these where the schema has a plain string.
NAMED = {
    "bank_account": ["errored", "new", "validated", "verification_failed", "verified"],
    "payout": ["canceled", "failed", "in_transit", "paid", "pending"],
    "refund": ["canceled", "failed", "pending", "requires_action", "succeeded"],
    "webhook_endpoint": ["disabled", "enabled"],
    "balance_transaction": ["available", "pending"],
}
#: What we use of the kinds of balance transactions.
MOVEMENTS = (
    "adjustment application_fee application_fee_refund charge payment payment_failure_refund "
    "payment_refund payout payout_cancel payout_failure refund refund_failure stripe_fee tax_fee"
)
BY_SCHEMA = ("capability", "charge", "dispute", "payment_intent")


def due() -> set[State]:
    """Every state that must have been seen."""
    named = dict(NAMED)
    for kind in BY_SCHEMA:
        named[kind] = SCHEMA["$defs"][kind]["properties"]["status"]["enum"]
    states = {(kind, status) for kind, statuses in named.items() for status in statuses}
    return states | {("balance_transaction", kind) for kind in MOVEMENTS.split()}


@pytest.mark.parametrize("name", SCENARIOS)
async def test_all_that_a_story_shows_is_as_stripe_publishes_it(name: str) -> None:
    with in_process():
        made = Checked()
        account = await made.account()
        await play(made, DirectGiver(made), account, name, seed=1)
        await made.look(account)
        made.sandbox.close()


async def test_every_state_of_every_object_is_reached_and_as_stripe_publishes_it() -> None:
    seen: set[State] = set()
    for walk in WALKS:
        with in_process():
            made = Checked()
            await walk(made)
            seen |= made.seen
            made.sandbox.close()
    assert due() <= seen, due() - seen
