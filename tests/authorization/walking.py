"""An edge whose gate may be broken on purpose, and a walk over rows of the table."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any, Literal
from unittest.mock import AsyncMock, patch

from aiohttp import web

from edge import signing_in
from edge.access import Access
from edge.authorization import Authorization
from edge.caller import Caller
from edge.gate import Gate
from edge.limits.policies import Rate
from edge.limits.rates import RateLimits
from tests.authorization.cast import ALL_SCOPES, Cast, SignedIn
from tests.authorization.table import Row
from tests.edge.stand import Served, Stand

#: Requests under way at a time.
AT_ONCE = 8
_TRIES = 5

Check = Literal["scope", "permission", "step_up", "service", "publishable"]


@dataclass
class Breakage:
    """Which check is left out at the moment, on which route; none at first."""

    route: tuple[str, str] | None = None
    check: Check | None = None

    def leaves_out(self, check: Check) -> bool:
        """Whether the request under way goes without the check."""
        return self.check == check and self.route == _PLACE.get()


BREAKAGE = Breakage()
_PLACE: ContextVar[tuple[str, str] | None] = ContextVar("route", default=None)


class BreakableGate(Gate):
    """A gate with at most one check left out."""

    async def admit(self, request: web.Request, access: Access, rate: Rate) -> None:
        resource = request.match_info.route.resource
        assert resource is not None
        _PLACE.set((request.method, resource.canonical))
        if BREAKAGE.leaves_out("step_up"):
            access = replace(access, needs_step_up=False)
        if BREAKAGE.leaves_out("publishable"):
            access = replace(access, is_publishable=True)
        await super().admit(request, access, rate)

    async def _caller(self, request: web.Request) -> Caller:
        caller = await super()._caller(request)
        return replace(caller, scopes=ALL_SCOPES) if BREAKAGE.leaves_out("scope") else caller

    async def _check(self, caller: Caller, access: Access, resource: str) -> None:
        if not BREAKAGE.leaves_out("permission"):
            await super()._check(caller, access, resource)


class BreakableAuthorization(Authorization):
    """What a service asks by itself is answered yes while that is left out."""

    async def require(self, *arguments: Any, **how: Any) -> None:
        if not BREAKAGE.leaves_out("service"):
            await super().require(*arguments, **how)


@asynccontextmanager
async def served(stand: Stand) -> AsyncIterator[Served]:
    """The edge, with people who are who they say."""
    sign_in = signing_in.build

    def with_people(*arguments: Any) -> Any:
        return replace(sign_in(*arguments), people=SignedIn())

    with (
        patch("edge.signing_in.build", with_people),
        patch("edge.app.Gate", BreakableGate),
        patch("edge.app.Authorization", BreakableAuthorization),
        # Nobody here is too fast: rates have tests of their own.
        patch.object(RateLimits, "admit_caller", AsyncMock()),
        patch.object(RateLimits, "admit_visitor", AsyncMock()),
    ):
        async with stand.serve() as running:
            yield running


async def status(running: Served, cast: Cast, row: Row, column: str) -> int:
    """What the one in the column gets."""
    path, how = row.request(cast, column)
    answer = await running.ask(row.method, path, **how)
    for _ in range(_TRIES):  # On a busy machine SpiceDB may answer too late: nobody knows then.
        if answer.status != 503:
            break
        answer = await running.ask(row.method, path, **how)
    return answer.status


async def differences(running: Served, cast: Cast, cells: Iterable[tuple[Row, str]]) -> list[str]:
    """The cells that are not what the table says."""
    turn = asyncio.Semaphore(AT_ONCE)

    async def look(row: Row, column: str) -> str | None:
        async with turn:
            got = await status(running, cast, row, column)
        wanted = row.cells[column]
        return None if got == wanted else f"{row.name}, {column}: {got} in place of {wanted}"

    found = await asyncio.gather(*(look(row, column) for row, column in cells))
    return [one for one in found if one is not None]
