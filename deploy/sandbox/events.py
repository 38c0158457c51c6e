"""Events: what happened, as it looked then (docs.stripe.com/api/events)."""

from deploy.sandbox import lists
from deploy.sandbox.calls import Call
from deploy.sandbox.errors import invalid_parameter
from deploy.sandbox.query import Query
from deploy.sandbox.store import Body

RETENTION_S = 30 * 86_400


def retrieve(call: Call) -> Body:
    """`GET /v1/events/{id}`."""
    return _with_waiting(call, call.load("event", call.ids[0], "id"))


def list_events(call: Call) -> Body:
    """`GET /v1/events`, by `type` or `types`, time and delivery."""
    params = call.params
    if "type" in params and "types" in params:
        raise invalid_parameter("You may only specify one of these parameters: type, types.", None)
    query = Query(call, "event")
    wanted = params.get("types") or ([params["type"]] if "type" in params else [])
    if wanted:
        query.tag("type", *wanted)
    if "delivery_success" in params:
        query.delivered(params["delivery_success"])
    found = lists.page(call, query, "/v1/events")
    found["data"] = [_with_waiting(call, event) for event in found["data"]]
    return found


def _with_waiting(call: Call, event: Body) -> Body:
    row = call.store.database.execute(
        "SELECT COUNT(*) FROM deliveries WHERE event = ? AND state = 'pending'", (event["id"],)
    ).fetchone()
    event["pending_webhooks"] = row[0]
    return event
