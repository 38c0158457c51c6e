"""`/v1/donations/{donation}/refunds` and `/v1/refunds`: give back, see what became of it."""

import re
from typing import Any, Final

import orjson
from aiohttp import web

from edge import idempotency, json_body
from edge.caller import caller_of
from edge.errors import ProblemError
from edge.http import (
    SUBJECTS,
    json_response,
    read_body,
    refuse_query,
    require_json,
    tagged,
    wait_preferred,
)
from edge.refunds.models import RefundRequest
from edge.refunds.service import Refunds, Submission
from edge.routes.donations import donation_in

BODY_BYTES_MAX: Final = 4 * 1024
_REFUND: Final = re.compile(r"rfd_[0-7][0-9a-hjkmnp-tv-z]{25}")


class RefundRoutes:
    """Handlers, behind the gate."""

    def __init__(self, refunds: Refunds, fingerprint_key: bytes) -> None:
        self._refunds = refunds
        self._fingerprint_key = fingerprint_key

    async def create(self, request: web.Request) -> web.Response:
        """202 with the pending refund once it is durable."""
        refuse_query(request)
        idempotency_key = idempotency.parse_key(request.headers.getall("Idempotency-Key", []))
        require_json(request)
        body = json_body.parse(await read_body(request, BODY_BYTES_MAX))
        donation = donation_in(request)
        submission = Submission(
            caller=caller_of(request),
            idempotency_key=idempotency_key,
            fingerprint=idempotency.fingerprint(
                self._fingerprint_key, "POST", request.path, request.query_string, body
            ),
            donation=donation,
            body=json_body.validate(RefundRequest, body),
        )
        accepted = await self._refunds.accept(submission)
        refund = accepted.resource["id"]
        request[SUBJECTS] = {"donation": donation, "refund": refund}
        headers = {"Location": f"/v1/refunds/{refund}", "Vary": "Authorization"}
        if accepted.is_replay:
            headers["Idempotent-Replayed"] = "true"
        return json_response(orjson.dumps(accepted.resource), status=202, headers=headers)

    async def of_gift(self, request: web.Request) -> web.Response:
        """The refunds of a gift."""
        refuse_query(request)
        donation = donation_in(request)
        request[SUBJECTS] = {"donation": donation}
        listed = await self._refunds.of_gift(caller_of(request), donation)
        return _shown(request, {"data": listed}, None)

    async def show(self, request: web.Request) -> web.Response:
        """The refund; with `Prefer: wait=N` as soon as it is settled."""
        refuse_query(request)
        refund = request.match_info["refund"]
        if not _REFUND.fullmatch(refund):
            raise ProblemError("refund_not_found")
        wait_s = wait_preferred(request)
        request[SUBJECTS] = {"refund": refund}
        resource = await self._refunds.find(caller_of(request), refund, wait_s=wait_s or 0)
        return _shown(request, resource, wait_s)


def _shown(request: web.Request, value: Any, wait_s: int | None) -> web.Response:
    headers = {"Cache-Control": "private, no-cache", "Vary": "Authorization, Prefer"}
    if wait_s is not None:
        headers["Preference-Applied"] = f"wait={wait_s}"
    return tagged(request, json_response(orjson.dumps(value), headers=headers))
