"""The control API's part for webhooks: the queue, pause and retry, rolled secrets, resending."""

from typing import TYPE_CHECKING, Any

from deploy.sandbox import webhook_endpoints
from deploy.sandbox.store import Body

if TYPE_CHECKING:
    from deploy.sandbox.control import Control

Given = dict[str, Any]
SHOWN_MAX = 500


async def _deliveries(control: "Control", ids: tuple[str, ...], given: Given) -> Body:
    database = control.world.store.database
    counts = database.execute("SELECT state, COUNT(*) FROM deliveries GROUP BY state").fetchall()
    rows = database.execute(
        "SELECT d.event, json_extract(o.body, '$.type'), d.endpoint, d.state, d.attempts, "
        "d.status FROM deliveries d JOIN objects o ON o.id = d.event "
        "ORDER BY d.sequence DESC LIMIT ?",
        (SHOWN_MAX,),
    ).fetchall()
    names = ("event", "type", "endpoint", "state", "attempts", "status")
    return {
        "paused": control.engine.deliveries.paused,
        "counts": dict(counts),
        "newest": [dict(zip(names, row, strict=True)) for row in rows],
    }


async def _pause(control: "Control", ids: tuple[str, ...], given: Given) -> Body:
    control.engine.deliveries.pause()
    return {"paused": True}


async def _resume(control: "Control", ids: tuple[str, ...], given: Given) -> Body:
    control.engine.deliveries.resume()
    return {"paused": False}


async def _retry(control: "Control", ids: tuple[str, ...], given: Given) -> Body:
    return {"retried": control.engine.deliveries.retry_all()}


async def _roll(control: "Control", ids: tuple[str, ...], given: Given) -> Body:
    expire_s = int(given.get("expire_previous_in_s", 0))
    return await control.engine.run(
        control.call_on(ids[0]), lambda call: webhook_endpoints.roll(call, expire_s)
    )


async def _resend(control: "Control", ids: tuple[str, ...], given: Given) -> Body:
    return await control.engine.run(
        control.call_on(ids[0]),
        lambda call: webhook_endpoints.resend(call, given.get("endpoint")),
    )


ACTIONS = {
    ("GET", "/_sandbox/deliveries"): _deliveries,
    ("POST", "/_sandbox/deliveries/pause"): _pause,
    ("POST", "/_sandbox/deliveries/resume"): _resume,
    ("POST", "/_sandbox/deliveries/retry"): _retry,
    ("POST", "/_sandbox/events/{}/resend"): _resend,
    ("POST", "/_sandbox/webhook_endpoints/{}/roll"): _roll,
}
