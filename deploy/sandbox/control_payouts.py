"""The control API's part for balances and payouts: settle, pay out, end a payout, charge a fee."""

from typing import TYPE_CHECKING, Any

from deploy.sandbox import balance, payout_schedule, payouts
from deploy.sandbox.calls import Call
from deploy.sandbox.money import check_currency
from deploy.sandbox.store import Body

if TYPE_CHECKING:
    from deploy.sandbox.control import Control

Given = dict[str, Any]
FEE_KINDS = ("stripe_fee", "tax_fee")


async def _payout(control: "Control", ids: tuple[str, ...], given: Given) -> Body:
    status, code = given["status"], given.get("failure_code", "account_closed")
    return await control.engine.run(
        control.call_on(ids[0]), lambda call: payouts.advance(call, status, code)
    )


async def _automatic_payouts(control: "Control", ids: tuple[str, ...], given: Given) -> Body:
    made = await control.engine.run(control.call_as(ids[0]), payout_schedule.pay_out_available)
    if given.get("paid", False):
        made = [await _payout(control, (payout["id"],), {"status": "paid"}) for payout in made]
    return {"payouts": made}


async def _settle(control: "Control", ids: tuple[str, ...], given: Given) -> Body:
    return {"settled": await control.engine.run(control.call_as(ids[0]), balance.settle)}


def charge_fee(call: Call, given: Given) -> Body:
    """Take a fee of Stripe's (or the tax on one) that no charge caused, e.g. for Radar."""
    kind, amount = given.get("type", "stripe_fee"), given["amount"]
    if kind not in FEE_KINDS:
        raise ValueError(f"type must be one of {', '.join(FEE_KINDS)}")
    if type(amount) is not int or amount == 0:
        raise ValueError("amount must be an integer: positive takes, negative gives back")
    currency = given.get("currency") or balance.settlement_currency(call, call.account)
    return balance.move(
        call,
        call.account,
        kind,
        None,
        -amount,
        check_currency(currency),
        available_on=call.now,
        description=given.get("description", "Radar for Fraud Teams"),
    )


async def _fee(control: "Control", ids: tuple[str, ...], given: Given) -> Body:
    return await control.engine.run(control.call_as(ids[0]), lambda call: charge_fee(call, given))


ACTIONS = {
    ("POST", "/_sandbox/payouts/{}"): _payout,
    ("POST", "/_sandbox/accounts/{}/fees"): _fee,
    ("POST", "/_sandbox/accounts/{}/payouts"): _automatic_payouts,
    ("POST", "/_sandbox/accounts/{}/settle"): _settle,
}
