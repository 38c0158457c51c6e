"""`/v1/donations`: make a gift, see what became of it."""

import re
from typing import Final

import orjson
from aiohttp import web

from edge import idempotency, json_body, metrics
from edge.authentication import Authentication
from edge.donations.acceptance import ROUTE
from edge.donations.models import DonationRequest
from edge.donations.service import DonationService, Submission
from edge.donations.status import Donations
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

BODY_BYTES_MAX: Final = 64 * 1024
_DONATION: Final = re.compile(r"don_[0-7][0-9a-hjkmnp-tv-z]{25}")


class DonationRoutes:
    """Handlers; each needs a key with the right scope."""

    def __init__(
        self,
        authentication: Authentication,
        service: DonationService,
        donations: Donations,
        fingerprint_key: bytes,
    ) -> None:
        self._authentication = authentication
        self._service = service
        self._donations = donations
        self._fingerprint_key = fingerprint_key

    async def create(self, request: web.Request) -> web.Response:
        """202 with the pending donation once it is durable."""
        api_key = await self._authentication.key_of(request, "donations:write")
        refuse_query(request)
        idempotency_key = idempotency.parse_key(request.headers.getall("Idempotency-Key", []))
        require_json(request)
        body = json_body.parse(await read_body(request, BODY_BYTES_MAX))
        method, _, path = ROUTE.partition(" ")
        submission = Submission(
            api_key=api_key,
            idempotency_key=idempotency_key,
            body=json_body.validate(DonationRequest, body),
            fingerprint=idempotency.fingerprint(
                self._fingerprint_key, method, path, request.query_string, body
            ),
        )
        accepted = await self._service.accept(submission)
        request[SUBJECTS] = {"donation": accepted.donation}
        metrics.DONATIONS.labels("replayed" if accepted.is_replay else "accepted").inc()
        headers = {"Location": f"/v1/donations/{accepted.donation}", "Vary": "Authorization"}
        if accepted.is_replay:
            headers["Idempotent-Replayed"] = "true"
        return json_response(accepted.body, status=202, headers=headers)

    async def show(self, request: web.Request) -> web.Response:
        """The donation; with `Prefer: wait=N` as soon as its state is settled."""
        api_key = await self._authentication.key_of(request, "donations:read")
        refuse_query(request)
        donation = donation_in(request)
        wait_s = wait_preferred(request)
        seen = await self._donations.find(api_key, donation, wait_s=wait_s or 0)
        request[SUBJECTS] = {"donation": donation, "donation_status": seen.status}
        headers = {"Cache-Control": "private, no-cache", "Vary": "Authorization, Prefer"}
        if wait_s is not None:
            headers["Preference-Applied"] = f"wait={wait_s}"
        return tagged(request, json_response(orjson.dumps(seen.resource), headers=headers))


def donation_in(request: web.Request) -> str:
    """The donation id in the path; ProblemError 404 when it has another form."""
    donation = request.match_info["donation"]
    if not _DONATION.fullmatch(donation):
        raise ProblemError("donation_not_found")
    return donation
