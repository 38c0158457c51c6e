"""The platform's own earnings: application fees and their refunds (docs.stripe.com/connect).

A fee belongs to the platform; on the connected account it is a line of the charge's transaction.
Given back together with a charge it is a negative line of the refund's transaction, given back by
itself it is a transaction of its own there.
"""

from deploy.sandbox import balance, lists
from deploy.sandbox.calls import Call
from deploy.sandbox.errors import StripeError
from deploy.sandbox.identifiers import new_id
from deploy.sandbox.query import Query
from deploy.sandbox.store import Body


def fee_line(call: Call, amount: int, currency: str) -> Body:
    """A line of `fee_details` that says what the platform took."""
    return {
        "amount": amount,
        "application": call.world.application,
        "currency": currency,
        "description": "Sandbox application fee",
        "type": "application_fee",
    }


def collect(call: Call, charge: Body) -> None:
    """Book a captured charge's application fee on the platform."""
    platform = call.world.platform
    settlement = balance.settlement_currency(call, platform)
    amount, rate = call.world.convert(
        charge["application_fee_amount"], charge["currency"], settlement
    )
    transaction = balance.move(
        call,
        platform,
        "application_fee",
        charge["application_fee"],
        amount,
        settlement,
        available_on=call.now,
        exchange_rate=rate,
    )
    fee: Body = {
        "id": charge["application_fee"],
        "object": "application_fee",
        "account": call.account,
        "amount": charge["application_fee_amount"],
        "amount_refunded": 0,
        "application": call.world.application,
        "balance_transaction": transaction["id"],
        "charge": charge["id"],
        "created": call.now,
        "currency": charge["currency"],
        "fee_source": {"charge": charge["id"], "type": "charge"},
        "livemode": False,
        "originating_transaction": None,
        "refunded": False,
        "refunds": {
            "data": [],
            "has_more": False,
            "object": "list",
            "url": f"/v1/application_fees/{charge['application_fee']}/refunds",
        },
    }
    call.store.insert(platform, fee, {"charge": charge["id"]})
    call.emit("application_fee.created", fee, account=platform)


def give_back(call: Call, fee: Body, amount: int, metadata: dict[str, str]) -> Body:
    """Take `amount` (in the fee's currency) from the platform; returns the fee refund."""
    platform = call.world.platform
    settlement = balance.settlement_currency(call, platform)
    settled, rate = call.world.convert(amount, fee["currency"], settlement)
    refund_id = new_id("fr")
    transaction = balance.move(
        call,
        platform,
        "application_fee_refund",
        refund_id,
        -settled,
        settlement,
        available_on=call.now,
        exchange_rate=rate,
    )
    refund: Body = {
        "id": refund_id,
        "object": "fee_refund",
        "amount": amount,
        "balance_transaction": transaction["id"],
        "created": call.now,
        "currency": fee["currency"],
        "fee": fee["id"],
        "metadata": metadata,
    }
    call.store.insert(platform, refund, {"fee": fee["id"]})
    fee["amount_refunded"] += amount
    fee["refunded"] = fee["amount_refunded"] == fee["amount"]
    fee["refunds"]["data"].insert(0, refund)
    call.store.update(fee)
    call.emit("application_fee.refunded", fee, account=platform)
    return refund


def refund(call: Call) -> Body:
    """`POST /v1/application_fees/{id}/refunds`: the money goes to the connected account."""
    fee = call.load("application_fee", call.ids[0], "id", "application fee")
    left = fee["amount"] - fee["amount_refunded"]
    amount = call.params.get("amount", left)
    if left == 0:
        raise StripeError(400, f"Application fee {fee['id']} has already been refunded.")
    if amount > left:
        raise StripeError(
            400,
            f"Refund amount ({amount}) is greater than unrefunded amount on fee ({left})",
            param="amount",
        )
    returned = give_back(call, fee, amount, call.params.get("metadata", {}))
    settlement = balance.settlement_currency(call, fee["account"])
    settled, rate = call.world.convert(amount, fee["currency"], settlement)
    balance.move(
        call,
        fee["account"],
        "application_fee_refund",
        returned["id"],
        settled,
        settlement,
        available_on=call.now,
        exchange_rate=rate,
        reporting_category="fee",
    )
    return returned


def list_refunds(call: Call) -> Body:
    """`GET /v1/application_fees/{id}/refunds`."""
    fee = call.load("application_fee", call.ids[0], "id", "application fee")
    query = Query(call, "fee_refund")
    query.tag("fee", fee["id"])
    return lists.page(call, query, f"/v1/application_fees/{fee['id']}/refunds")
