"""How new SpiceDB's data must be to show an organization's last change: its ZedToken, as heard.

Rules: while no one listens nothing is remembered. What is about no single organization takes the
token heard last: the permissions worker writes one change after the other.
"""

from collections.abc import Callable
from typing import Final

from edge.database.pool import Database
from edge.directory import store

_TOKENS_MAX: Final = 100_000


class Tokens:
    """The newest ZedToken of each organization; `on_change` is told whose changed."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.on_change: Callable[[str], None] = lambda _: None
        self._tokens: dict[str, str | None] = {}
        self._generation = 0
        self.is_caching = False

    def hear(self, payload: str) -> None:
        """A change, as PostgreSQL announces it: `org_… ZedToken`."""
        organization, _, token = payload.partition(" ")
        if self.is_caching:
            self._tokens[organization] = self._tokens[""] = token
        self._generation += 1
        self.on_change(organization)

    def forget(self) -> None:
        """Changes may have been missed."""
        self._tokens.clear()
        self._generation += 1

    async def of(self, organization: str) -> str | None:
        """The token; None when none is known. "" asks for the one heard last."""
        if organization in self._tokens or not organization:
            return self._tokens.get(organization)
        generation = self._generation
        async with self._database.connection() as connection:
            token = await store.zed_token(connection, organization)
        if self.is_caching and generation == self._generation:
            if len(self._tokens) >= _TOKENS_MAX:
                self._tokens.clear()
            self._tokens[organization] = token
        return token
