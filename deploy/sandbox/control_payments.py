"""The control API's part for payments: 3-D Secure, refunds, disputes, exchange rates, prices."""

from typing import TYPE_CHECKING, Any

import orjson

from deploy.sandbox import (
    dispute_states,
    disputes,
    payment_intents,
    pricing,
    refund_states,
    refunds,
)
from deploy.sandbox.calls import Call
from deploy.sandbox.money import read_rates
from deploy.sandbox.store import Body

if TYPE_CHECKING:
    from deploy.sandbox.control import Control

Given = dict[str, Any]


async def _authentication(control: "Control", ids: tuple[str, ...], given: Given) -> Body:
    succeeded = given.get("outcome", "succeeded") == "succeeded"
    return await control.engine.run(
        control.call_on(ids[0]),
        lambda call: payment_intents.complete_authentication(call, succeeded=succeeded),
    )


async def _refund(control: "Control", ids: tuple[str, ...], given: Given) -> Body:
    return await control.engine.run(
        control.call_on(ids[0]), lambda call: refunds.in_dashboard(call, given)
    )


async def _move_refund(control: "Control", ids: tuple[str, ...], given: Given) -> Body:
    status, reason = given["status"], given.get("failure_reason", "unknown")
    return await control.engine.run(
        control.call_on(ids[0]), lambda call: refund_states.advance(call, status, reason)
    )


async def _dispute(control: "Control", ids: tuple[str, ...], given: Given) -> Body:
    return await control.engine.run(
        control.call_on(ids[0]), lambda call: disputes.by_bank(call, given)
    )


async def _move_dispute(control: "Control", ids: tuple[str, ...], given: Given) -> Body:
    return await control.engine.run(
        control.call_on(ids[0]), lambda call: dispute_states.by_bank(call, given)
    )


async def _rates(control: "Control", ids: tuple[str, ...], given: Given) -> Body:
    moved = read_rates(given)
    call = Call(control.world, control.world.platform, {})
    kept = {**control.world.rates, **moved}
    await control.engine.run(
        call, lambda call: call.store.set_setting("rates", orjson.dumps(kept).decode())
    )
    control.world.load_rates()
    return {currency: buys / per for currency, (buys, per) in control.world.rates.items()}


async def _pricing(control: "Control", ids: tuple[str, ...], given: Given) -> Body:
    changed = await control.engine.run(
        control.call_as(ids[0]), lambda call: pricing.change(call, given)
    )
    control.world.load_pricing()
    return changed


ACTIONS = {
    ("POST", "/_sandbox/payment_intents/{}/authentication"): _authentication,
    ("POST", "/_sandbox/charges/{}/refunds"): _refund,
    ("POST", "/_sandbox/refunds/{}"): _move_refund,
    ("POST", "/_sandbox/charges/{}/dispute"): _dispute,
    ("POST", "/_sandbox/disputes/{}"): _move_dispute,
    ("POST", "/_sandbox/rates"): _rates,
    ("POST", "/_sandbox/accounts/{}/pricing"): _pricing,
}
