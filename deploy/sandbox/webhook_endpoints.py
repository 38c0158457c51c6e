"""Webhook endpoints of the platform: `connect=true` ones get the connected accounts' events.

The secret is shown once, when the endpoint is created; it is kept apart from the body.
"""

import re
from typing import Any

import orjson

from deploy.sandbox import lists
from deploy.sandbox.calls import Call
from deploy.sandbox.errors import StripeError, invalid_parameter, no_such
from deploy.sandbox.identifiers import new_id, random_text
from deploy.sandbox.metadata import merged
from deploy.sandbox.query import Query
from deploy.sandbox.store import Body

ENDPOINTS_MAX = 16
PREVIOUS_SECRET_S_MAX = 24 * 3600
_EVENT_TYPE = re.compile(r"\*|[a-z0-9_]+(\.[a-z0-9_]+){1,3}")


def _check(params: dict[str, Any]) -> None:
    url = params.get("url")
    if url is not None and not re.fullmatch(r"https?://[^\s/]+(/\S*)?", url):
        raise invalid_parameter("Invalid URL: give it as https://host/path.", "url")
    for index, event_type in enumerate(params.get("enabled_events", [])):
        if not _EVENT_TYPE.fullmatch(event_type):
            raise invalid_parameter(
                f"Invalid enabled_events[{index}]: {event_type[:60]} is no event type",
                f"enabled_events[{index}]",
            )


def create(call: Call) -> Body:
    """`POST /v1/webhook_endpoints`; the only answer that carries `secret`."""
    params = call.params
    _check(params)
    if len(call.world.endpoints) >= ENDPOINTS_MAX:
        raise StripeError(400, f"You have reached the maximum of {ENDPOINTS_MAX} endpoints.")
    secret = f"whsec_sandbox{random_text(32)}"
    connect = params.get("connect", False)
    body: Body = {
        "id": new_id("we"),
        "object": "webhook_endpoint",
        "api_version": params.get("api_version"),
        "application": call.world.application if connect else None,
        "created": call.now,
        "description": params.get("description"),
        "enabled_events": params["enabled_events"],
        "livemode": False,
        "metadata": params.get("metadata", {}),
        "status": "enabled",
        "url": params["url"],
    }
    call.store.insert(call.account, body)
    hidden = orjson.dumps({"secret": secret, "connect": connect}).decode()
    call.store.set_setting(f"endpoint:{body['id']}", hidden)
    call.endpoints_changed = True
    return body | {"secret": secret}


def roll(call: Call, expire_previous_in_s: int) -> Body:
    """Give an endpoint a new secret, as its page in the Dashboard does; shown this once.

    The previous one signs too for that many seconds, up to a day (docs.stripe.com/webhooks).
    """
    if not 0 <= expire_previous_in_s <= PREVIOUS_SECRET_S_MAX:
        raise ValueError(f"expire_previous_in_s must be from 0 to {PREVIOUS_SECRET_S_MAX}")
    body = load(call)
    hidden = orjson.loads(call.store.setting(f"endpoint:{body['id']}") or "{}")
    hidden |= {
        "previous_secret": hidden["secret"],
        "previous_until": call.now + expire_previous_in_s,
        "secret": f"whsec_sandbox{random_text(32)}",
    }
    call.store.set_setting(f"endpoint:{body['id']}", orjson.dumps(hidden).decode())
    call.endpoints_changed = True
    return body | {"secret": hidden["secret"]}


def resend(call: Call, endpoint: str | None) -> Body:
    """Queue an event again to one endpoint, or to all that want its type now."""
    found = call.store.find(call.ids[0])
    if found is None or found[1]["object"] != "event":
        raise no_such("event", call.ids[0], "id")
    event = found[1]
    chosen = [
        each.id
        for each in call.world.endpoints.values()
        if each.id == endpoint
        or (not endpoint and each.wants(event["type"], from_connected_account="account" in event))
    ]
    for endpoint_id in chosen:
        sequence = call.store.insert_delivery(event["id"], endpoint_id, call.world.clock())
        call.emitted.append((sequence, event["type"]))
    return {"event": event["id"], "endpoints": chosen}


def load(call: Call) -> Body:
    """`GET /v1/webhook_endpoints/{id}`."""
    return call.load("webhook_endpoint", call.ids[0], "webhook_endpoint", "webhook endpoint")


def list_endpoints(call: Call) -> Body:
    """`GET /v1/webhook_endpoints`."""
    return lists.page(call, Query(call, "webhook_endpoint"), "/v1/webhook_endpoints")


def update(call: Call) -> Body:
    """`POST /v1/webhook_endpoints/{id}`."""
    _check(call.params)
    body = load(call)
    for name in ("description", "enabled_events", "url"):
        if name in call.params:
            body[name] = call.params[name]
    if "disabled" in call.params:
        body["status"] = "disabled" if call.params["disabled"] else "enabled"
    body["metadata"] = merged(body["metadata"], call.params.get("metadata"))
    call.store.update(body)
    call.endpoints_changed = True
    return body


def delete(call: Call) -> Body:
    """`DELETE /v1/webhook_endpoints/{id}`; what was queued for it is given up."""
    body = load(call)
    call.store.delete(body["id"])
    call.store.database.execute(
        "UPDATE deliveries SET state = 'canceled' WHERE endpoint = ? AND state = 'pending'",
        (body["id"],),
    )
    call.endpoints_changed = True
    return {"id": body["id"], "object": "webhook_endpoint", "deleted": True}
