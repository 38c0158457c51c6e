"""`/webhooks/stripe/connect`: events of connected accounts."""

import time
from collections.abc import Sequence
from typing import Final

from aiohttp import web

from edge import metrics
from edge.errors import ProblemError
from edge.http import SUBJECTS, json_response, read_body
from edge.webhooks import signature
from edge.webhooks.reception import Reception

BODY_BYTES_MAX: Final = 512 * 1024


class WebhookRoutes:
    """The signature is over the raw bytes: nothing is parsed before it was verified."""

    def __init__(self, reception: Reception, secrets: Sequence[str]) -> None:
        self._reception = reception
        self._secrets = secrets

    async def receive(self, request: web.Request) -> web.Response:
        """200 once the event is durable, also when it is not for us or came before."""
        body = await read_body(request, BODY_BYTES_MAX)
        headers = request.headers.getall("Stripe-Signature", [])
        try:
            number = signature.verify(headers, body, self._secrets, time.time())
        except ProblemError as problem:
            metrics.STRIPE_SIGNATURE_FAILURES.labels(problem.code).inc()
            raise
        metrics.STRIPE_SIGNATURES.labels(str(number)).inc()
        event = await self._reception.receive(body)
        request[SUBJECTS] = {"stripe_event": event.id, "disposition": event.disposition}
        return json_response({"received": True})
