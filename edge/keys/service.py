"""API keys, from the secret that is shown once to the end that counts at once.

A key's row is what counts: revoked or over, it opens nothing, whatever SpiceDB was told by then.
A rotation changes the secret and nothing else, so that rights and traces stay with the key.
"""

from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

from asyncpg import Record

from contracts.identifiers import random_id, type_id
from edge import api_keys, resources
from edge.audit import writing as audit
from edge.database.pool import Database
from edge.errors import ProblemError
from edge.events.announcing import announce
from edge.keys import decisions, store
from edge.keys.models import ApiKeyRequest, Rotation
from edge.listing import Page
from edge.organizations import messages, relationships
from edge.organizations import store as organizations
from edge.organizations import store_profiles as profiles
from edge.organizations.relationships import KeyRow
from edge.resources import Command, Precondition
from edge.settings import Environment
from ledger.keys import derive
from topics import outbox
from topics.codec import Record as Message
from topics.outbox import AnyConnection

#: Not revoked, of one holder.
KEYS_MAX: Final = 100
#: How much of a secret tells its holder which it is, and nobody what it is.
_HINT_LENGTH: Final = 14


class Keys:
    """Keys of organizations (`org_…`) and collectors (`col_…`), their holders."""

    def __init__(self, database: Database, master_key: bytes, environment: Environment) -> None:
        self._database = database
        self._hash_key = derive(master_key, api_keys.PURPOSE)
        self._environment = environment

    async def make(
        self, holder: str, command: Command[ApiKeyRequest]
    ) -> tuple[dict[str, Any], int, bool]:
        """The key with its secret, its version, and whether it was made before.

        A repetition gets the key without the secret, which is kept nowhere. ProblemError 409, 422.
        """
        now, body = datetime.now(UTC), command.body
        scopes = decisions.scopes_of(body, holder)
        if body.ends_at is not None and body.ends_at <= now:
            raise ProblemError("time_over", param="expires_at")
        identifier = type_id("key", random_id(now))
        async with self._database.transaction([command.tenant, holder]) as connection:
            made = await resources.claim(connection, command, identifier)
            if made is not None:
                row = await _found(connection, holder, made)
                return decisions.key(row, now), row["version"], True
            if await store.count(connection, holder) >= KEYS_MAX:
                raise ProblemError("too_many_keys")
            secret = api_keys.mint(self._environment, body.kind)
            is_collector = holder.startswith("col_")
            row_made = (
                *(identifier, None if is_collector else holder, holder if is_collector else None),
                *(body.name, body.kind, self._environment, self._hash(secret), hint_of(secret)),
                *(scopes, sorted(set(body.funds)), body.origins, body.ends_at),
                *(command.created_by, now),
            )
            await store.make(connection, row_made)
            row = await _found(connection, holder, identifier)
            if not is_collector:
                await _require_funds(connection, holder, body)
                await _tell(connection, row, "created", now)
            await _note(connection, row, after=[body.kind, *scopes])
            return decisions.key(row, now, secret), row["version"], False

    async def page(self, holder: str, page: Page) -> dict[str, Any]:
        """A page of keys, newest first."""
        now = datetime.now(UTC)
        async with self._database.transaction([holder]) as connection:
            rows = await store.keys(
                connection, holder, page.filters.get("kind"), page.after_or_nulls, page.rows_max
            )
        return page.of(rows, lambda row: decisions.key(row, now))

    async def show(self, holder: str, identifier: str) -> tuple[dict[str, Any], int]:
        """A key and its version; ProblemError 404."""
        async with self._database.transaction([holder]) as connection:
            row = await _found(connection, holder, identifier)
        return decisions.key(row, datetime.now(UTC)), row["version"]

    async def rotate(
        self, holder: str, identifier: str, command: Command[Rotation]
    ) -> tuple[dict[str, Any], int, bool]:
        """The key with its new secret, its version, and whether that was done before."""
        now = datetime.now(UTC)
        until = now + timedelta(hours=command.body.overlap_hours)
        async with self._database.transaction([command.tenant, holder]) as connection:
            row = await _found(connection, holder, identifier)
            if await resources.claim(connection, command, identifier) is not None:
                return decisions.key(row, now), row["version"], True
            if row["revoked_at"] is not None:
                raise ProblemError("key_revoked")
            secret = api_keys.mint(self._environment, row["kind"])
            await store.rotate(
                connection, identifier, self._hash(secret), hint_of(secret), until, now
            )
            row = await _found(connection, holder, identifier)
            await _note(connection, row, before=row["version"] - 1, after=row["version"])
            await outbox.queue(connection, _events(row, "api_key.rotated", now))
            return decisions.key(row, now, secret), row["version"], False

    async def revoke(self, holder: str, identifier: str, precondition: Precondition) -> None:
        """The key opens nothing any more, at once; ProblemError 404, 412."""
        now = datetime.now(UTC)
        async with self._database.transaction([holder]) as connection:
            # Whoever repairs what SpiceDB holds of an organization waits.
            await profiles.locked(connection, holder)
            row = await _found(connection, holder, identifier)
            precondition.require(row["version"])
            if row["revoked_at"] is not None:
                await _note(connection, row)
                return
            await store.revoke(connection, identifier, now)
            await _note(connection, row, before=[row["kind"], *row["scopes"]])
            if row["organization"] is not None:
                row = await _found(connection, holder, identifier)
                await _tell(connection, row, "revoked", now)

    def _hash(self, secret: str) -> bytes:
        return api_keys.secret_hash(self._hash_key, secret.encode())


def hint_of(secret: str) -> str:
    """How a secret begins."""
    return secret[:_HINT_LENGTH]


async def _note(
    connection: AnyConnection, row: Record, *, before: object = None, after: object = None
) -> None:
    """Leave an audit row: an organization's; of a collector's key the platform's."""
    organization = row["organization"]
    await audit.write(connection, row["id"], organization=organization, before=before, after=after)


def _events(row: Record, event: str, now: datetime) -> list[Message]:
    """The event of a key; a collector's is no organization's affair."""
    if row["organization"] is None:
        return []
    return [announce(row["organization"], event, row["id"], decisions.announced(row, now), now)]


async def _require_funds(connection: AnyConnection, organization: str, body: ApiKeyRequest) -> None:
    if foreign := set(body.funds) - await organizations.funds(connection, organization):
        detail = f"The organization has no fund {', '.join(sorted(foreign))}."
        raise ProblemError("fund_unknown", detail, param="funds")


async def _tell(
    connection: AnyConnection, row: Record, what: Literal["created", "revoked"], now: datetime
) -> None:
    """Tell SpiceDB and whoever listens of a key that is so from now on."""
    key = KeyRow(
        id=row["id"],
        organization=row["organization"],
        scopes=tuple(row["scopes"]),
        funds=tuple(row["funds"]),
        expires_at=row["expires_at"],
        is_revoked=row["revoked_at"] is not None,
    )
    changes = relationships.changes([key], now)
    asked = messages.permissions(key.organization, f"{key.id}:{what}", changes, now)
    await outbox.queue(connection, [asked, *_events(row, f"api_key.{what}", now)])


async def _found(connection: AnyConnection, holder: str, identifier: str) -> Record:
    row = await store.key(connection, holder, identifier)
    if row is None:
        raise ProblemError("key_not_found")
    return row
