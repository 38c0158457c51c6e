"""Whose a request is before anybody is known: the address that it is counted under."""

from aiohttp import web

from edge import metrics
from edge.errors import ProblemError
from edge.forwarding import addresses_of
from edge.limits import addresses
from edge.limits.rules import Limits


class Clients:
    """Addresses of clients, where they are to be known: behind trusted proxies, or directly."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._is_known = bool(limits.trusted_proxies) or limits.is_direct

    def address_of(self, request: web.Request) -> str | None:
        """Who asks; None where nobody can tell, and for those who are exempt."""
        if not self._is_known:
            return None
        client = self.client_of(request)
        if client is None or addresses.is_exempt(client, self._limits.exempt):
            return None
        return client

    def peer_of(self, peer: str | None) -> str | None:
        """Whose a connection is; None for a proxy's, which carries many people's requests."""
        return addresses.peer_of(peer, self._limits.trusted_proxies) if self._is_known else None

    def refuse_denied(self, request: web.Request) -> None:
        """ProblemError 403 for addresses that the operators deny."""
        if not self._limits.denied:
            return
        client = self.client_of(request)
        if client is not None and addresses.is_exempt(client, self._limits.denied):
            metrics.LIMITED.labels("denied").inc()
            raise ProblemError("address_denied")

    def client_of(self, request: web.Request) -> str | None:
        """Where a request came from, as far as anybody can be believed."""
        trusted = self._limits.trusted_proxies
        forwarded = addresses_of(request.headers, self._limits.forwarded) if trusted else []
        return addresses.client_of(request.remote, forwarded, trusted)
