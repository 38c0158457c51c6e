"""Registering organizations and their keys, each in one transaction with what must follow from it.

An organization's genesis and its permissions leave through the outbox in the transaction that
makes it; their ids come from the organization's, so that whoever repeats them says the same. The
platform's own organization is registered first, so that its genesis is the leaf at index 0.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import asyncpg

from contracts.accounts import AccountRequested
from contracts.donations import Visibility
from contracts.identifiers import random_id, type_id
from contracts.money import EXPONENTS
from edge import api_keys
from edge.database.store import set_scope
from edge.events.announcing import announce
from edge.funds import decisions as funds_decisions
from edge.funds import store as funds_store
from edge.keys import decisions as keys_decisions
from edge.keys import store as keys_store
from edge.organizations import decisions, messages, relationships, store, store_profiles
from edge.organizations.relationships import FundRow, KeyRow, OrganizationRow
from edge.settings import Environment
from ledger.keys import derive
from topics import outbox
from topics.codec import Record
from topics.outbox import AnyConnection
from topics.registry import ACCOUNTS_REQUESTED

_SLUG: Final = re.compile(r"[a-z0-9](-?[a-z0-9]){1,62}")
_ACCOUNT: Final = re.compile(r"acct_[A-Za-z0-9_]{1,250}")
SCOPES_DEFAULT: Final = ("donations:read", "donations:write", "donors:read")


class OrganizationError(ValueError):
    """The organization cannot be registered or changed so; the text says what to correct."""


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """A new API key. `secret` is shown once and kept nowhere."""

    id: str
    secret: str


@dataclass(frozen=True, slots=True)
class Registered:
    """A new organization: its id, its default fund by currency, its first key."""

    id: str
    funds: dict[str, str]
    key: IssuedKey


async def register_organization(
    connection: AnyConnection,
    *,
    master_key: bytes,
    environment: Environment,
    origin: str,
    slug: str,
    name: str,
    currencies: Sequence[str] = ("EUR",),
    visibility: Visibility = "public_full",
    accepts_donations: bool = True,
    stripe_account: str | None = None,
    is_platform: bool = False,
    scopes: Sequence[str] = SCOPES_DEFAULT,
) -> Registered:
    """Register an organization with a fund for each currency and one API key.

    The first fund also takes gifts whose currency no fund holds.

    `connection` is one of the edge's role, outside a transaction; `origin` is the log's name, which
    the genesis states for ever. An account that it has at Stripe already is adopted, unless another
    organization has it. OrganizationError when a value is wrong or taken.
    """
    _check(slug, name, currencies, stripe_account)
    now = datetime.now(UTC)
    organization = type_id("org", random_id(now))
    funds = {currency: type_id("fund", random_id(now)) for currency in currencies}
    async with connection.transaction():
        await set_scope(connection, [organization])
        try:
            await store.insert_organization(
                *(connection, organization, slug, name, visibility),
                *(accepts_donations, is_platform, now),
            )
        except asyncpg.UniqueViolationError as error:
            raise OrganizationError(_taken(error, slug)) from error
        for place, (currency, fund) in enumerate(funds.items()):
            opened = now + timedelta(microseconds=place)  # The first one is the first for good.
            await store.insert_fund(connection, fund, organization, "General", currency, opened)
        key, key_row = await _insert_key(
            connection, master_key, environment, organization, "first key", scopes, None, now
        )
        row = OrganizationRow(organization, "verified", "approved", accepts_donations)
        fund_rows = [FundRow(fund, organization) for fund in funds.values()]
        changes = relationships.changes([row, *fund_rows, key_row], now)
        told = [
            messages.genesis(organization, name, origin, now),
            messages.permissions(organization, organization, changes, now),
            *await _registered(connection, organization, funds.values(), key.id, now),
        ]
        if stripe_account is not None:
            told.append(_adoption(organization, stripe_account, now))
        await outbox.queue(connection, told)
    return Registered(organization, funds, key)


async def open_fund(connection: AnyConnection, organization: str, currency: str) -> str:
    """A default fund for what the organization gets in another currency; its id.

    `connection` is one of the edge's role, outside a transaction. OrganizationError when there is
    one already, or when Stripe knows no such currency.
    """
    if currency not in EXPONENTS:
        raise OrganizationError(f"{currency} is no currency that Stripe charges in")
    now = datetime.now(UTC)
    fund = type_id("fund", random_id(now))
    async with connection.transaction():
        await set_scope(connection, [organization])
        try:
            await store.insert_fund(connection, fund, organization, "General", currency, now)
        except asyncpg.UniqueViolationError as error:
            raise OrganizationError(f"a default fund holds {currency} already") from error
        except asyncpg.ForeignKeyViolationError as error:
            raise OrganizationError(f"there is no organization {organization}") from error
        changes = relationships.changes([FundRow(fund, organization)], now)
        told = [
            messages.permissions(organization, fund, changes, now),
            await fund_opened(connection, organization, fund, now),
        ]
        await outbox.queue(connection, told)
    return fund


async def fund_opened(
    connection: AnyConnection, organization: str, fund: str, now: datetime
) -> Record:
    """The event of a fund that this transaction opened."""
    row = await funds_store.fund(connection, organization, fund)
    assert row is not None, "it was opened in this transaction"
    return announce(organization, "fund.created", fund, funds_decisions.resource(row), now)


async def create_api_key(
    connection: AnyConnection,
    *,
    master_key: bytes,
    environment: Environment,
    organization: str,
    name: str,
    scopes: Sequence[str] = SCOPES_DEFAULT,
    funds: Sequence[str] = (),
    expires_at: datetime | None = None,
) -> IssuedKey:
    """Another key for an organization; its permissions follow through the outbox.

    With `funds`, it looks behind the labels of these funds' entries only.
    """
    now = datetime.now(UTC)
    async with connection.transaction():
        await set_scope(connection, [organization])
        try:
            key, row = await _insert_key(
                *(connection, master_key, environment, organization, name),
                *(scopes, expires_at, now, funds),
            )
        except asyncpg.ForeignKeyViolationError as error:
            raise OrganizationError(f"there is no organization {organization}") from error
        changes = relationships.changes([row], now)
        told = [
            messages.permissions(organization, key.id, changes, now),
            await _key_made(connection, organization, key.id, now),
        ]
        await outbox.queue(connection, told)
    return key


async def _registered(
    connection: AnyConnection, organization: str, funds: Iterable[str], key: str, now: datetime
) -> list[Record]:
    """The events of an organization that this transaction registers."""
    row = await store_profiles.one(connection, organization)
    assert row is not None, "it was inserted in this transaction"
    shown = decisions.announced(row)
    opened = [await fund_opened(connection, organization, fund, now) for fund in funds]
    made = await _key_made(connection, organization, key, now)
    return [announce(organization, "organization.created", organization, shown, now), *opened, made]


async def _key_made(
    connection: AnyConnection, organization: str, key: str, now: datetime
) -> Record:
    row = await keys_store.key(connection, organization, key)
    assert row is not None, "it was inserted in this transaction"
    return announce(organization, "api_key.created", key, keys_decisions.announced(row, now), now)


async def _insert_key(
    connection: AnyConnection,
    master_key: bytes,
    environment: Environment,
    organization: str,
    name: str,
    scopes: Sequence[str],
    expires_at: datetime | None,
    now: datetime,
    funds: Sequence[str] = (),
) -> tuple[IssuedKey, KeyRow]:
    unknown = sorted(set(scopes) - set(relationships.SCOPES))
    if unknown:
        known = ", ".join(relationships.SCOPES)
        raise OrganizationError(f"there is no scope {', '.join(unknown)}; there are {known}")
    if foreign := set(funds) - await store.funds(connection, organization):
        raise OrganizationError(f"the organization has no fund {', '.join(sorted(foreign))}")
    key = IssuedKey(type_id("key", random_id(now)), api_keys.mint(environment))
    hash_key = derive(master_key, api_keys.PURPOSE)
    await store.insert_api_key(
        connection,
        key.id,
        organization,
        name,
        environment,
        api_keys.secret_hash(hash_key, key.secret.encode()),
        sorted(set(scopes)),
        sorted(set(funds)),
        expires_at,
        now,
    )
    return key, KeyRow(key.id, organization, tuple(scopes), tuple(funds), expires_at)


def _adoption(organization: str, account: str, now: datetime) -> Record:
    request = type_id("areq", random_id(now))
    body = AccountRequested(request=request, action="adopt", account=account)
    return messages.record(
        ACCOUNTS_REQUESTED, organization, f"{organization}:adopt:{account}", body, now
    )


def _check(slug: str, name: str, currencies: Sequence[str], stripe_account: str | None) -> None:
    if not _SLUG.fullmatch(slug):
        raise OrganizationError(
            "a short name is lower-case letters, digits and single hyphens, 2 or more"
        )
    if not 1 <= len(name) <= 200 or not name.isprintable() or not name.strip():
        raise OrganizationError("a name is 1 to 200 printable characters")
    if not currencies or set(currencies) - set(EXPONENTS):
        raise OrganizationError(f"currencies are some of {', '.join(EXPONENTS)}")
    if stripe_account is not None and not _ACCOUNT.fullmatch(stripe_account):
        raise OrganizationError("a connected account's id has the form acct_…")


def _taken(error: asyncpg.UniqueViolationError, slug: str) -> str:
    if error.constraint_name == "one_platform":
        return "the platform's organization is registered already"
    return f"the short name {slug} is taken"
