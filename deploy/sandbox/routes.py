"""Every request the sandbox serves: method, path, parameters, function. `{}` stands for an id."""

from deploy.sandbox import (
    application_fees,
    balance,
    charging,
    disputes,
    events,
    lists,
    payment_intents,
    payouts,
    refunds,
    shapes,
    webhook_endpoints,
)
from deploy.sandbox.account_routes import ACCOUNT_ROUTES
from deploy.sandbox.calls import Call
from deploy.sandbox.parameters import (
    Shape,
    boolean,
    integer,
    metadata,
    moment,
    one_of,
    text,
    texts,
)
from deploy.sandbox.route import Function, Route
from deploy.sandbox.store import Body

ID_LENGTH_MAX = 255


def _retrieve(kind: str, param: str = "id") -> Function:
    def retrieve(call: Call) -> Body:
        return call.load(kind, call.ids[0], param)

    return retrieve


ROUTES: dict[tuple[str, str], Route] = {
    **ACCOUNT_ROUTES,
    ("POST", "/v1/payment_intents"): Route("payment_intent", payment_intents.create, shapes.INTENT),
    ("GET", "/v1/payment_intents"): Route(
        "payment_intent", lists.payment_intents, shapes.DATED, True
    ),
    ("GET", "/v1/payment_intents/search"): Route(
        "payment_intent",
        payment_intents.search,
        Shape(
            {**shapes.EXPAND, "limit": integer(1, 100), "page": integer(1), "query": text()},
            ("query",),
        ),
        listed=True,
    ),
    ("GET", "/v1/payment_intents/{}"): Route(
        "payment_intent",
        payment_intents.load,
        Shape({**shapes.EXPAND, "client_secret": text()}),
        for_clients=True,
    ),
    ("POST", "/v1/payment_intents/{}/confirm"): Route(
        "payment_intent",
        payment_intents.confirm,
        Shape({**shapes.EXPAND, **shapes.CONFIRMATION, "client_secret": text()}),
        for_clients=True,
    ),
    ("POST", "/v1/payment_intents/{}/capture"): Route(
        "payment_intent",
        payment_intents.capture,
        Shape({**shapes.EXPAND, "amount_to_capture": integer(1)}),
    ),
    ("POST", "/v1/payment_intents/{}/cancel"): Route(
        "payment_intent",
        payment_intents.cancel,
        Shape(
            {
                **shapes.EXPAND,
                "cancellation_reason": one_of(
                    "abandoned", "duplicate", "fraudulent", "requested_by_customer"
                ),
            }
        ),
    ),
    ("GET", "/v1/payment_methods/{}"): Route(
        "payment_method", charging.retrieve_method, shapes.NOTHING
    ),
    ("GET", "/v1/charges"): Route(
        "charge", lists.charges, Shape(lists.DATED_PARAMETERS | {"payment_intent": text()}), True
    ),
    ("GET", "/v1/charges/{}"): Route("charge", _retrieve("charge"), shapes.NOTHING),
    ("GET", "/v1/charges/{}/refunds"): Route(
        "refund", refunds.of_charge, Shape(lists.PAGE_PARAMETERS), True
    ),
    ("POST", "/v1/refunds"): Route("refund", refunds.create, shapes.REFUND),
    ("GET", "/v1/refunds"): Route("refund", refunds.list_refunds, shapes.OF_CHARGE, True),
    ("GET", "/v1/refunds/{}"): Route("refund", refunds.load, shapes.NOTHING),
    ("POST", "/v1/refunds/{}"): Route("refund", refunds.update, shapes.METADATA),
    ("POST", "/v1/refunds/{}/cancel"): Route("refund", refunds.cancel, shapes.NOTHING),
    ("GET", "/v1/disputes"): Route("dispute", disputes.list_disputes, shapes.OF_CHARGE, True),
    ("GET", "/v1/disputes/{}"): Route("dispute", disputes.load, shapes.NOTHING),
    ("POST", "/v1/disputes/{}"): Route("dispute", disputes.update, shapes.DISPUTE),
    ("POST", "/v1/disputes/{}/close"): Route("dispute", disputes.close, shapes.NOTHING),
    ("GET", "/v1/balance"): Route("balance", balance.retrieve_balance, shapes.NOTHING),
    ("GET", "/v1/balance_transactions"): Route(
        "balance_transaction",
        lists.balance_transactions,
        Shape(
            lists.DATED_PARAMETERS
            | {"currency": text(), "payout": text(), "source": text(), "type": text()}
        ),
        True,
    ),
    ("GET", "/v1/balance_transactions/{}"): Route(
        "balance_transaction", balance.retrieve_transaction, shapes.NOTHING
    ),
    ("GET", "/v1/application_fees"): Route(
        "application_fee",
        lists.application_fees,
        Shape(lists.DATED_PARAMETERS | {"charge": text()}),
        True,
    ),
    ("GET", "/v1/application_fees/{}"): Route(
        "application_fee", _retrieve("application_fee"), shapes.NOTHING
    ),
    ("GET", "/v1/application_fees/{}/refunds"): Route(
        "fee_refund", application_fees.list_refunds, Shape(lists.PAGE_PARAMETERS), True
    ),
    ("POST", "/v1/application_fees/{}/refunds"): Route(
        "fee_refund",
        application_fees.refund,
        Shape({**shapes.EXPAND, "amount": integer(1), "metadata": metadata}),
    ),
    ("POST", "/v1/payouts"): Route(
        "payout",
        payouts.create,
        Shape(
            {
                **shapes.EXPAND,
                "amount": integer(1),
                "currency": text(),
                "description": text(),
                "destination": text(),
                "metadata": metadata,
                "method": one_of("standard"),
                "source_type": one_of("bank_account", "card", "fpx"),
                "statement_descriptor": text(22),
            },
            ("amount", "currency"),
        ),
    ),
    ("GET", "/v1/payouts"): Route(
        "payout",
        lists.payouts,
        Shape(
            lists.DATED_PARAMETERS
            | {"arrival_date": moment, "destination": text(), "status": text()}
        ),
        True,
    ),
    ("GET", "/v1/payouts/{}"): Route("payout", payouts.load, shapes.NOTHING),
    ("POST", "/v1/payouts/{}"): Route(
        "payout", payouts.update, Shape({**shapes.EXPAND, "metadata": metadata})
    ),
    ("POST", "/v1/payouts/{}/reverse"): Route(
        "payout", payouts.reverse, Shape({**shapes.EXPAND, "metadata": metadata})
    ),
    ("POST", "/v1/payouts/{}/cancel"): Route("payout", payouts.cancel, shapes.NOTHING),
    ("GET", "/v1/events"): Route(
        "event",
        events.list_events,
        Shape(
            lists.DATED_PARAMETERS
            | {"delivery_success": boolean, "type": text(), "types": texts(count_max=20)}
        ),
        True,
    ),
    ("GET", "/v1/events/{}"): Route("event", events.retrieve, shapes.NOTHING),
    ("POST", "/v1/webhook_endpoints"): Route(
        "webhook_endpoint",
        webhook_endpoints.create,
        Shape(shapes.NEW_ENDPOINT, ("enabled_events", "url")),
        False,
        True,
    ),
    ("GET", "/v1/webhook_endpoints"): Route(
        "webhook_endpoint",
        webhook_endpoints.list_endpoints,
        Shape(lists.PAGE_PARAMETERS),
        True,
        True,
    ),
    ("GET", "/v1/webhook_endpoints/{}"): Route(
        "webhook_endpoint", webhook_endpoints.load, shapes.NOTHING, False, True
    ),
    ("POST", "/v1/webhook_endpoints/{}"): Route(
        "webhook_endpoint", webhook_endpoints.update, shapes.ENDPOINT, False, True
    ),
    ("DELETE", "/v1/webhook_endpoints/{}"): Route(
        "webhook_endpoint", webhook_endpoints.delete, Shape({}), False, True
    ),
}


def find(method: str, path: str) -> tuple[Route, tuple[str, ...]] | None:
    """Return the route and the ids in the path, or None."""
    route = ROUTES.get((method, path))
    if route is not None:
        return route, ()
    segments = path.split("/")
    ids = tuple(segments[3::2])
    if not ids or any(not 0 < len(object_id) <= ID_LENGTH_MAX for object_id in ids):
        return None
    segments[3::2] = ["{}"] * len(ids)
    route = ROUTES.get((method, "/".join(segments)))
    return None if route is None else (route, ids)
