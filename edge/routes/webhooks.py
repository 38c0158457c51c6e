"""`/v1/webhooks/stripe` and `/v1/webhooks/stripe/connect`: events of our account, and of others'.

Stripe registers the two apart and signs them with secrets of their own. Without secrets an endpoint
is off: an empty secret would verify what anybody signed with an empty key.
"""

import time
from collections.abc import Sequence
from typing import Final

from aiohttp import web

from edge import metrics
from edge.errors import ProblemError
from edge.http import SUBJECTS, json_response, read_body
from edge.webhooks import signature
from edge.webhooks.events import Endpoint
from edge.webhooks.reception import Reception

BODY_BYTES_MAX: Final = 512 * 1024


class WebhookRoutes:
    """One endpoint. The signature is over raw bytes: nothing is parsed before it is verified."""

    def __init__(self, reception: Reception, endpoint: Endpoint, secrets: Sequence[str]) -> None:
        self._reception = reception
        self._endpoint = endpoint
        self._secrets = secrets
        for number in range(len(secrets)):  # So that a secret that rests is seen to rest.
            metrics.STRIPE_SIGNATURES.labels(endpoint, str(number))

    async def receive(self, request: web.Request) -> web.Response:
        """200 once the event is durable, also when it is not for us or came before."""
        if not self._secrets:
            raise ProblemError("not_found")
        body = await read_body(request, BODY_BYTES_MAX)
        headers = request.headers.getall("Stripe-Signature", [])
        try:
            number = signature.verify(headers, body, self._secrets, time.time())
        except ProblemError as problem:
            metrics.STRIPE_SIGNATURE_FAILURES.labels(self._endpoint, problem.code).inc()
            raise
        metrics.STRIPE_SIGNATURES.labels(self._endpoint, str(number)).inc()
        event = await self._reception.receive(body, self._endpoint)
        request[SUBJECTS] = {"stripe_event": event.id, "disposition": event.disposition}
        return json_response({"received": True})
