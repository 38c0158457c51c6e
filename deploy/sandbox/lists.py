"""Lists as Stripe pages them: newest first, cursors by id, ranges of time, a few filters."""

from deploy.sandbox import balance
from deploy.sandbox.calls import Call
from deploy.sandbox.errors import StripeError, no_such
from deploy.sandbox.parameters import Check, integer, moment, text, texts
from deploy.sandbox.query import Query
from deploy.sandbox.store import Body

LIMIT_DEFAULT = 10
LIMIT_MAX = 100

PAGE_PARAMETERS: dict[str, Check] = {
    "limit": integer(1, LIMIT_MAX),
    "starting_after": text(),
    "ending_before": text(),
    "expand": texts(),
}
DATED_PARAMETERS: dict[str, Check] = PAGE_PARAMETERS | {"created": moment}


def page(call: Call, query: Query, url: str) -> Body:
    """Return one page of `query`, as the parameters ask, as Stripe's `list` object."""
    params = call.params
    limit = params.get("limit", LIMIT_DEFAULT)
    if "created" in params:
        query.range("created", params["created"])
    backwards = "ending_before" in params
    if backwards:
        query.position(">", params["ending_before"], "ending_before")
    if "starting_after" in params:
        query.position("<", params["starting_after"], "starting_after")
    found = [body for _, body in query.fetch(limit + 1, oldest_first=backwards)]
    data = found[:limit]
    if backwards:
        data.reverse()
    for body in data:
        if body["object"] == "balance_transaction":
            balance.with_status(body, call.now)
    return {"object": "list", "data": data, "has_more": len(found) > limit, "url": url}


def search_page(
    call: Call, kind: str, url: str, tags: dict[str, str], fields: dict[str, str]
) -> Body:
    """Return one page of Stripe's `search_result`; `page` is the last sequence seen."""
    query = Query(call, kind)
    for name, value in tags.items():
        query.tag(name, value)
    for name, value in fields.items():
        query.field(name, value)
    if "page" in call.params:
        query.after_sequence(call.params["page"])
    limit = call.params.get("limit", LIMIT_DEFAULT)
    found = query.fetch(limit + 1)
    more = len(found) > limit
    return {
        "object": "search_result",
        "data": [body for _, body in found[:limit]],
        "has_more": more,
        "next_page": str(found[limit - 1][0]) if more else None,
        "url": url,
    }


def refunds_of(call: Call, charge_id: str) -> Body:
    """Return the newest refunds of a charge as `charge.refunds` has them."""
    query = Query(call, "refund")
    query.tag("charge", charge_id)
    found = [body for _, body in query.fetch(LIMIT_DEFAULT + 1)]
    return {
        "object": "list",
        "data": found[:LIMIT_DEFAULT],
        "has_more": len(found) > LIMIT_DEFAULT,
        "url": f"/v1/charges/{charge_id}/refunds",
    }


def payment_intents(call: Call) -> Body:
    """`GET /v1/payment_intents`."""
    return page(call, Query(call, "payment_intent"), "/v1/payment_intents")


def charges(call: Call) -> Body:
    """`GET /v1/charges`."""
    query = Query(call, "charge")
    if "payment_intent" in call.params:
        query.tag("payment_intent", call.params["payment_intent"])
    return page(call, query, "/v1/charges")


def balance_transactions(call: Call) -> Body:
    """`GET /v1/balance_transactions`; `payout=` itemises automatic payouts only, as at Stripe."""
    query = Query(call, "balance_transaction")
    payout_id = call.params.get("payout")
    if payout_id is not None:
        payout = call.store.get(call.account, "payout", payout_id)
        if payout is None:
            raise no_such("payout", payout_id, "payout", status=400)
        if not payout["automatic"]:
            raise StripeError(
                400,
                "Balance transaction history can only be filtered on automatic payouts, not "
                "manual.",
                param="payout",
            )
    for name in ("payout", "type", "source"):
        if name in call.params:
            query.tag(name, call.params[name])
    if "currency" in call.params:
        query.field("currency", call.params["currency"].lower())
    return page(call, query, "/v1/balance_transactions")


def payouts(call: Call) -> Body:
    """`GET /v1/payouts`."""
    query = Query(call, "payout")
    for name in ("destination", "status"):
        if name in call.params:
            query.field(name, call.params[name])
    if "arrival_date" in call.params:
        query.range("arrival_date", call.params["arrival_date"])
    return page(call, query, "/v1/payouts")


def application_fees(call: Call) -> Body:
    """`GET /v1/application_fees`."""
    query = Query(call, "application_fee")
    if "charge" in call.params:
        query.tag("charge", call.params["charge"])
    return page(call, query, "/v1/application_fees")


def accounts(call: Call) -> Body:
    """`GET /v1/accounts`: the connected ones."""
    query = Query(call, "account")
    query.tag("connected", "true")
    return page(call, query, "/v1/accounts")
