"""`/v1/donations`: make a gift, see what became of it, try again, cancel."""

import re
from dataclasses import replace
from typing import Any, Final

import orjson
from aiohttp import web

from edge import idempotency, json_body, metrics
from edge.caller import caller_of
from edge.donations.acceptance import ROUTE, Accepted
from edge.donations.models import AttemptRequest, CancelRequest, DonationRequest
from edge.donations.service import DonationService, Submission
from edge.donations.status import Donations
from edge.donations.steps import Asked, Steps
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
from edge.limits.service import DonationLimits

BODY_BYTES_MAX: Final = 64 * 1024
_DONATION: Final = re.compile(r"don_[0-7][0-9a-hjkmnp-tv-z]{25}")


class DonationRoutes:
    """Handlers, behind the gate."""

    def __init__(
        self,
        service: DonationService,
        donations: Donations,
        steps: Steps,
        limits: DonationLimits,
        fingerprint_key: bytes,
    ) -> None:
        self._service = service
        self._donations = donations
        self._steps = steps
        self._limits = limits
        self._fingerprint_key = fingerprint_key

    async def create(self, request: web.Request) -> web.Response:
        """202 with the pending donation once it is durable."""
        client = self._limits.client_of(request)
        refuse_query(request)
        idempotency_key = idempotency.parse_key(request.headers.getall("Idempotency-Key", []))
        require_json(request)
        body = json_body.parse(await read_body(request, BODY_BYTES_MAX))
        method, _, path = ROUTE.partition(" ")
        submission = Submission(
            caller=caller_of(request),
            idempotency_key=idempotency_key,
            client=client,
            body=json_body.validate(DonationRequest, body),
            fingerprint=idempotency.fingerprint(
                self._fingerprint_key, method, path, request.query_string, body
            ),
        )
        accepted = await self._service.accept(submission)
        metrics.DONATIONS.labels("replayed" if accepted.is_replay else "accepted").inc()
        return _taken(request, accepted)

    async def attempt(self, request: web.Request) -> web.Response:
        """202 with the gift, once another attempt to collect it is sure to be made."""
        client = self._limits.client_of(request)
        asked, body = await self._asked(request, "attempts")
        asked = replace(asked, client=client)
        accepted = await self._steps.attempt(asked, json_body.validate(AttemptRequest, body))
        return _taken(request, accepted)

    async def cancel(self, request: web.Request) -> web.Response:
        """202 with the gift, once it is sure that Stripe is asked to close it."""
        asked, body = await self._asked(request, "cancel")
        json_body.validate(CancelRequest, body)
        return _taken(request, await self._steps.cancel(asked))

    async def _asked(self, request: web.Request, step: str) -> tuple[Asked, dict[str, Any]]:
        """Who asks what of which gift, and the body, `{}` when there is none."""
        refuse_query(request)
        donation = donation_in(request)
        idempotency_key = idempotency.parse_key(request.headers.getall("Idempotency-Key", []))
        body: dict[str, Any] = {}
        if raw := await read_body(request, BODY_BYTES_MAX):
            require_json(request)
            body = json_body.parse(raw)
        path = f"/v1/donations/{donation}/{step}"
        fingerprint = idempotency.fingerprint(self._fingerprint_key, "POST", path, "", body)
        return Asked(
            caller_of(request), idempotency_key, fingerprint, f"POST {path}", donation
        ), body

    async def show(self, request: web.Request) -> web.Response:
        """The donation; with `Prefer: wait=N` as soon as its state is settled."""
        refuse_query(request)
        donation = donation_in(request)
        wait_s = wait_preferred(request)
        seen = await self._donations.find(caller_of(request), donation, wait_s=wait_s or 0)
        request[SUBJECTS] = {"donation": donation, "donation_status": seen.status}
        headers = {"Cache-Control": "private, no-cache", "Vary": "Authorization, Prefer"}
        if wait_s is not None:
            headers["Preference-Applied"] = f"wait={wait_s}"
        return tagged(request, json_response(orjson.dumps(seen.resource), headers=headers))


def _taken(request: web.Request, accepted: Accepted) -> web.Response:
    request[SUBJECTS] = {"donation": accepted.donation}
    headers = {"Location": f"/v1/donations/{accepted.donation}", "Vary": "Authorization"}
    if accepted.is_replay:
        headers["Idempotent-Replayed"] = "true"
    return json_response(accepted.body, status=202, headers=headers)


def donation_in(request: web.Request) -> str:
    """The donation id in the path; ProblemError 404 when it has another form."""
    donation = request.match_info["donation"]
    if not _DONATION.fullmatch(donation):
        raise ProblemError("donation_not_found")
    return donation
