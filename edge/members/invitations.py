"""Invitations by mail: for one verified address, once, for seven days.

The token is in the mail alone; kept are keyed hashes of token and address, and for the mail both
encrypted, until the invitation is over. Whoever accepts must be signed in with that very address.
"""

import hashlib
import hmac
import secrets
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import orjson
from asyncpg import Record

from contracts.identifiers import random_id, type_id
from contracts.invitations import SEALED_PURPOSE, InvitationMailRequested
from edge import resources
from edge.audit import writing as audit
from edge.authorization import Authorization, Question
from edge.caller import Caller
from edge.database.pool import Database
from edge.donors.people import person_of
from edge.errors import ProblemError
from edge.events.announcing import announce
from edge.listing import Page
from edge.members import decisions, store, store_invitations
from edge.members.models import Invitation
from edge.members.service import lock, require_may, role_of
from edge.organizations import messages, relationships
from edge.organizations.relationships import MemberRow
from edge.resources import Command
from ledger import keys
from topics import outbox
from topics.codec import Record as Message
from topics.outbox import AnyConnection
from topics.registry import INVITATIONS_MAIL_REQUESTED

LIFETIME: Final = timedelta(days=7)
#: Open at once in one organization: nobody fills strangers' mail boxes through us.
OPEN_MAX: Final = 50
_TOKEN: Final = "invitation-token"  # noqa: S105 - the purpose of a derived key, no secret
#: As `edge/people` has it, so that a person's verified address compares.
_EMAIL: Final = "person-email"


class Invitations:
    """Makes, lists, revokes and accepts invitations."""

    def __init__(self, database: Database, authorization: Authorization, master_key: bytes) -> None:
        self._database = database
        self._authorization = authorization
        self._token_key = keys.derive(master_key, _TOKEN)
        self._email_key = keys.derive(master_key, _EMAIL)
        self._seal_key = keys.derive(master_key, SEALED_PURPOSE)

    async def invite(
        self, caller: Caller, command: Command[Invitation]
    ) -> tuple[dict[str, Any], bool]:
        """The invitation, and whether it was made before; ProblemError 403 above the own rank."""
        organization, body, now = caller.organization, command.body, datetime.now(UTC)
        identifier = type_id("inv", random_id(now))
        question = Question(f"organization:{organization}", "manage_owners", caller.subject)
        as_owner = await self._authorization.is_allowed(question, is_fresh=True)
        async with self._database.transaction([command.tenant, organization]) as connection:
            await lock(connection, organization)
            made = await resources.claim(connection, command, identifier)
            if made is not None:
                return decisions.invitation(await _found(connection, organization, made), now), True
            require_may(await role_of(connection, caller, as_owner), None, body.role)
            await _require_room(connection, organization)
            token = f"inv_{secrets.token_urlsafe(32)}"
            sealed = orjson.dumps({"email": body.email, "token": token})
            email_hash = self._address_hash(body.email)
            row = (
                *(identifier, organization, body.role, body.ends_at, self._hash(token)),
                *(email_hash, keys.encrypt(self._seal_key, sealed, identifier.encode())),
                *(caller.id, now + LIFETIME, now),
            )
            replaced = await store_invitations.invite(connection, row, email_hash)
            await audit.write(connection, identifier, organization=organization, after=body.role)
            mail = InvitationMailRequested(invitation=identifier)
            topic = INVITATIONS_MAIL_REQUESTED
            told = [
                messages.record(topic, organization, identifier, mail, now),
                *[await _event(connection, organization, one, "revoked", now) for one in replaced],
                await _event(connection, organization, identifier, "created", now),
            ]
            await outbox.queue(connection, told)
            row_made = await _found(connection, organization, identifier)
            return decisions.invitation(row_made, now), False

    async def page(self, organization: str, page: Page) -> dict[str, Any]:
        """A page of invitations, oldest first."""
        now = datetime.now(UTC)
        async with self._database.transaction([organization]) as connection:
            rows = await store_invitations.invitations(
                connection,
                organization,
                page.filters.get("status"),
                page.after_or_nulls,
                page.rows_max,
            )
        return page.of(rows, lambda row: decisions.invitation(row, now))

    async def revoke(self, organization: str, identifier: str) -> None:
        """The invitation opens nothing any more; ProblemError 404 when it was no open one."""
        now = datetime.now(UTC)
        async with self._database.transaction([organization]) as connection:
            await lock(connection, organization)
            row = await _found(connection, organization, identifier)
            if row["status"] == "accepted":
                raise ProblemError("invitation_over")
            await store_invitations.revoke(connection, organization, identifier, now)
            await audit.write(connection, identifier, organization=organization, before=row["role"])
            if row["status"] == "open":
                told = [await _event(connection, organization, identifier, "revoked", now)]
                await outbox.queue(connection, told)

    async def accept(self, person: str, token: str) -> tuple[dict[str, Any], int]:
        """The membership that it makes, and its version; ProblemError 403, 404, 409, 410."""
        now, token_hash = datetime.now(UTC), self._hash(token)
        async with self._database.transaction([token_hash.hex()]) as connection:
            found = await store_invitations.by_token(connection, token_hash)
        if found is None:
            raise ProblemError("invitation_not_found")
        organization, identifier = found["organization"], found["id"]
        async with self._database.transaction([organization]) as connection:
            await lock(connection, organization)
            row = await _found(connection, organization, identifier)
            known = await store_invitations.address_of(connection, person)
            if known is None or not hmac.compare_digest(known, row["email_hash"]):
                raise ProblemError("invitation_of_another")
            if row["status"] != "open" or row["expires_at"] <= now:
                raise ProblemError("invitation_over")
            before = await store.member(connection, organization, person)
            if before is not None and decisions.is_active(before, now):
                raise ProblemError("member_already")
            await _require_inviter(connection, row, now)
            await store_invitations.accept(connection, organization, identifier, person, now)
            role, ends_at = row["role"], row["role_expires_at"]
            await store.add(connection, organization, person, role, ends_at, row["invited_by"], now)
            await audit.write(connection, person, organization=organization, after=role)
            changes = relationships.changes([MemberRow(organization, person, role, ends_at)], now)
            subject = f"{organization}:{person}:{identifier}"
            member = await store.member(connection, organization, person)
            assert member is not None, "it was added in this transaction"
            shown = decisions.member(member)
            told = [
                messages.permissions(organization, subject, changes, now),
                await _event(connection, organization, identifier, "accepted", now),
                announce(organization, "member.added", person, shown, now),
            ]
            await outbox.queue(connection, told)
            return decisions.named(member, None), member["version"]

    def _hash(self, token: str) -> bytes:
        return hmac.digest(self._token_key, token.encode(), hashlib.sha256)

    def _address_hash(self, email: str) -> bytes:
        return hmac.digest(self._email_key, person_of(email).encode(), hashlib.sha256)


async def _found(connection: AnyConnection, organization: str, identifier: str) -> Record:
    row = await store_invitations.invitation(connection, organization, identifier)
    if row is None:
        raise ProblemError("invitation_not_found")
    return row


async def _event(
    connection: AnyConnection, organization: str, identifier: str, what: str, now: datetime
) -> Message:
    row = await _found(connection, organization, identifier)
    shown = decisions.invitation(row, now)
    return announce(organization, f"invitation.{what}", identifier, shown, now)


async def _require_inviter(connection: AnyConnection, row: Record, now: datetime) -> None:
    """Whoever lost the right to give a role has given it to nobody by an old invitation.

    Staff who invited have no row here.
    """
    inviter = await store.member(connection, row["organization"], row["invited_by"])
    if inviter is not None and not (
        decisions.is_active(inviter, now)
        and decisions.may_change(inviter["role"], None, row["role"])
    ):
        raise ProblemError("invitation_over")


async def _require_room(connection: AnyConnection, organization: str) -> None:
    rows = await store_invitations.invitations(
        connection, organization, "open", (None, None), OPEN_MAX
    )
    if len(rows) >= OPEN_MAX:
        raise ProblemError("too_many_invitations")
