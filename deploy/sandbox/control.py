"""The control API under `/_sandbox/`: what tests and demonstrations do from behind the counter.

It needs the API key too (except `health`), speaks JSON, and is the only way to make faults, move
the clock, finish 3-D Secure, move payouts, settle balances or take an account's access away.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from aiohttp import web

from deploy.sandbox import (
    balance,
    control_accounts,
    control_payments,
    control_payouts,
    control_webhooks,
    publishable,
)
from deploy.sandbox.calls import Call
from deploy.sandbox.engine import Engine
from deploy.sandbox.errors import StripeError
from deploy.sandbox.faults import ACTIONS
from deploy.sandbox.named_faults import NAMED, row_of
from deploy.sandbox.store import Body

Given = dict[str, Any]
Action = Callable[["Control", tuple[str, ...], Given], Awaitable[Any]]
CLOCK_ADVANCE_S_MAX = 400 * balance.DAY_S


class Control:
    """The actions; each takes the ids in the path and the JSON body, and returns JSON."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.world = engine.world

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one control request: 200, or 400/404 with `{"error": {"message"}}`."""
        try:
            action, ids = _find(request.method, request.path)
            text = await request.read()
            given = orjson.loads(text) if text else {}
            if not isinstance(given, dict):
                raise ValueError("the body must be a JSON object")  # noqa: TRY004 - answered below
            result = await action(self, ids, given)
        except StripeError as error:
            return _json(error.body("req_control"), error.status)
        except (ValueError, KeyError, TypeError) as error:
            return _json({"error": {"message": f"{type(error).__name__}: {error}"}}, 400)
        return _json(result, 200)

    def call_on(self, object_id: str) -> Call:
        """Return a call on the account that owns an object; raises StripeError (404)."""
        found = self.world.store.find(object_id)
        if found is None:
            raise StripeError(404, f"No such object: '{object_id[:60]}'", code="resource_missing")
        return Call(self.world, found[0], {}, (object_id,))

    def call_as(self, account_id: str) -> Call:
        """Return a call on a connected account (or the platform); raises StripeError (404)."""
        call = Call(self.world, account_id, {}, (account_id,))
        balance.account_of(call, account_id)
        return call


def _json(body: Any, status: int) -> web.Response:
    return web.Response(status=status, body=orjson.dumps(body), content_type="application/json")


async def _late(control: Control, ids: tuple[str, ...], given: Given) -> Body:
    late = control.world.late
    late.enabled = bool(given["enabled"])
    delay_s = given.get("delay_s")
    late.delay_s = None if delay_s is None else float(delay_s)
    return {"enabled": late.enabled, "delay_s": late.delay_s}


async def _release(control: Control, ids: tuple[str, ...], given: Given) -> Body:
    return {"released": await control.engine.release_late_transactions()}


async def _add_fault(control: Control, ids: tuple[str, ...], given: Given) -> Body:
    if "name" not in given:
        return control.engine.faults.add(given).shown()
    fault = control.engine.faults.add(row_of(given))
    fault.name = given["name"]
    return fault.shown()


async def _faults(control: Control, ids: tuple[str, ...], given: Given) -> Body:
    rows = [fault.shown() for fault in control.engine.faults.rows]
    names = {name: fault.meaning for name, fault in NAMED.items()}
    return {"faults": rows, "actions": ACTIONS, "names": names}


async def _clear_faults(control: Control, ids: tuple[str, ...], given: Given) -> Body:
    cleared = len(control.engine.faults.rows)
    control.engine.faults.rows.clear()
    return {"cleared": cleared}


async def _clock(control: Control, ids: tuple[str, ...], given: Given) -> Body:
    seconds = given.get("advance_s", 0)
    if type(seconds) is not int or not 0 <= seconds <= CLOCK_ADVANCE_S_MAX:
        raise ValueError(f"advance_s must be an integer from 0 to {CLOCK_ADVANCE_S_MAX}")
    offset = control.world.clock_offset_s + seconds
    call = Call(control.world, control.world.platform, {})
    await control.engine.run(
        call, lambda call: call.store.set_setting("clock_offset_s", str(offset))
    )
    control.world.clock_offset_s = offset
    await control.engine.run_timers()
    control.engine.deliveries.wake()
    control.engine.forget_old()
    await control.world.store.committed()
    return {"now": control.world.now(), "offset_s": offset}


async def _keys(control: Control, ids: tuple[str, ...], given: Given) -> Body:
    return {"publishable_key": publishable.key_of(control.engine.platform_key)}


async def _health(control: Control, ids: tuple[str, ...], given: Given) -> Body:
    control.world.store.setting("platform")
    return {"status": "ok"}


HEALTH_PATH = "/_sandbox/health"

ACTIONS_BY_PATH: dict[tuple[str, str], Action] = {
    ("GET", HEALTH_PATH): _health,
    ("GET", "/_sandbox/keys"): _keys,
    ("POST", "/_sandbox/clock"): _clock,
    ("GET", "/_sandbox/faults"): _faults,
    ("POST", "/_sandbox/faults"): _add_fault,
    ("DELETE", "/_sandbox/faults"): _clear_faults,
    ("POST", "/_sandbox/late_transactions"): _late,
    ("POST", "/_sandbox/late_transactions/release"): _release,
    **control_accounts.ACTIONS,
    **control_payments.ACTIONS,
    **control_payouts.ACTIONS,
    **control_webhooks.ACTIONS,
}


def _find(method: str, path: str) -> tuple[Action, tuple[str, ...]]:
    action = ACTIONS_BY_PATH.get((method, path))
    if action is not None:
        return action, ()
    segments = path.split("/")
    ids = tuple(segments[3::2])
    segments[3::2] = ["{}"] * len(ids)
    action = ACTIONS_BY_PATH.get((method, "/".join(segments)))
    if action is not None:
        return action, ids
    known = ", ".join(f"{verb} {place}" for verb, place in ACTIONS_BY_PATH)
    raise StripeError(404, f"No such control: {method} {path[:80]}. There are: {known}")
