"""How often whoever asks may ask: by key, by person, by address, over all edges.

While the shared store is away nobody is refused, but for sign-ins: whoever guesses secrets must not
gain by its absence, and everybody else should not suffer by it. Sources: RFC 6585 (429), RFC 9110
(Retry-After), draft-ietf-httpapi-ratelimit-headers-11.
"""

from typing import Final

from aiohttp import web

from edge import metrics
from edge.caller import Caller
from edge.directory.directory import Directory
from edge.errors import ProblemError
from edge.limits.clients import Clients
from edge.limits.leases import AwayError, Leases
from edge.limits.policies import Kind, Policies, Rate
from edge.limits.rules import Hit, Rule

#: The headers that tell how much is left.
HEADERS: Final = web.RequestKey("rate_limit_headers", dict[str, str])


class RateLimits:
    """Admits requests, or ends them with 429."""

    def __init__(
        self, policies: Policies, clients: Clients, leases: Leases, directory: Directory
    ) -> None:
        self._policies, self._clients = policies, clients
        self._leases, self._directory = leases, directory

    async def admit_visitor(self, request: web.Request, rate: Rate) -> None:
        """Count a request of nobody in particular by its address, where that is known."""
        rule = self._policies.rule("visitor", rate)
        address = self._clients.address_of(request) if rule is not None else None
        if rule is not None and address is not None:
            await self._admit(request, Hit(rule, address), is_closed=rate == "sign_in")

    async def admit_caller(self, request: web.Request, rate: Rate, caller: Caller) -> None:
        """Count a request by who asks. A key's limits may be its organization's own."""
        if not self._policies.rules or rate == "exempt":
            return
        if caller.origins and self._clients.address_of(request) is not None:
            # The key stands in pages: whoever reads them asks, each from an address of their own.
            await self.admit_visitor(request, rate)
            return
        kind: Kind = "person" if caller.kind == "person" else "key"
        adjusted = None
        if kind == "key":
            adjusted = await self._directory.rate_limits(caller.organization)
        rule = self._policies.rule(kind, rate, adjusted)
        if rule is not None:
            await self._admit(request, Hit(rule, caller.id), is_closed=rate == "sign_in")

    async def _admit(self, request: web.Request, hit: Hit, *, is_closed: bool) -> None:
        try:
            standing = await self._leases.spend(hit)
        except AwayError:
            metrics.LIMITED.labels("away").inc()
            if is_closed:
                raise ProblemError("unavailable", headers={"Retry-After": "2"}) from None
            return
        request[HEADERS] = {
            "RateLimit-Policy": f'"{hit.rule.name}";q={hit.rule.most};w={hit.rule.window_s}',
            "RateLimit": f'"{hit.rule.name}";r={standing.remaining};t={standing.reset_s}',
        }
        if not standing.is_granted:
            metrics.LIMITED.labels(hit.rule.name).inc()
            raise ProblemError(
                "rate_limit_exceeded",
                _told(hit.rule),
                headers={"Retry-After": str(standing.reset_s)},
            )


def _told(rule: Rule) -> str:
    return f"At most {rule.most} requests of `{rule.name}` are answered in {rule.window_s} s."
