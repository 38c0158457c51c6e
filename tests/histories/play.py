"""One history being played: its organizations, its Stripe, and what its steps have made so far."""

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from contracts.identifiers import random_id, type_id
from contracts.money import Currency
from tests.histories.machinery import Machinery
from tests.histories.sandbox import Sandbox
from tests.histories.trouble import Trouble
from tests.workers.bench import new
from tests.workers.ledger_stand import genesis
from workers.reconciliation.account import Result
from workers.reconciliation.store.reading import Account

T = TypeVar("T")


def is_accepted(currency: str) -> bool:
    """Whether gifts in this currency are taken."""
    try:
        TypeAdapter(Currency).validate_python(currency)
    except ValidationError:
        return False
    return True


#: Country -> the currency that its accounts settle in.
_COUNTRIES = {"DE": "EUR", "US": "USD", "GB": "GBP", "CH": "CHF", "JP": "JPY", "SE": "SEK"}
COUNTRIES = {name: currency for name, currency in _COUNTRIES.items() if is_accepted(currency)}


@dataclass(frozen=True, slots=True)
class Fund:
    """`tag` names a thing in every play of the same history: the step that made it."""

    tag: str
    id: str
    is_default: bool


@dataclass(slots=True)
class Organization:
    """`accounts` are its Stripe accounts, the current one last; all settle in `currency`."""

    tag: str
    id: str
    currency: str
    accounts: list[str]
    funds: list[Fund]

    @property
    def account(self) -> str:
        return self.accounts[-1]


@dataclass(frozen=True, slots=True)
class Gift:
    tag: str
    organization: Organization
    fund: Fund
    donation: str
    currency: str


@dataclass(frozen=True, slots=True)
class Refund:
    """A refund that was asked for here."""

    refund: str
    gift: Gift


@dataclass
class Play:
    """What steps act on. `foreign` are charges that are no gifts, `compared` what reconciliation
    found when it last compared an account."""

    machinery: Machinery
    trouble: Trouble
    sandbox: Sandbox = field(default_factory=Sandbox)
    organizations: list[Organization] = field(default_factory=list)
    gifts: list[Gift] = field(default_factory=list)
    refunds: list[Refund] = field(default_factory=list)
    foreign: set[str] = field(default_factory=set)
    compared: dict[str, Result] = field(default_factory=dict)

    async def begin(self) -> None:
        """An empty Stripe that tells us of everything."""
        self.machinery.use(self.sandbox)
        await self.machinery.set_clock()
        await self.sandbox.ask(
            "POST",
            "/v1/webhook_endpoints",
            **{"url": "http://edge.test/", "connect": "true", "enabled_events[0]": "*"},
        )

    async def found(self, tag: str, country: str, funds: int) -> Organization:
        """A new organization with an account at Stripe, and its first entry asked for."""
        account = await self.open_account(country)
        currency = COUNTRIES[country]
        identifier = new("org")
        made = [Fund(f"{tag}/{n}", new("fund"), n == 0) for n in range(funds)]
        await self.machinery.connection.execute(
            "INSERT INTO edge.organizations (id, slug, name) VALUES ($1, $2, 'Hope')",
            *(identifier, identifier.replace("_", "-")),
        )
        await self.machinery.connection.execute(
            "INSERT INTO accounts.accounts"
            " (organization, account, stage, charges_enabled, payouts_enabled)"
            " VALUES ($1, $2, 'current', true, true)",
            *(identifier, account),
        )
        await self.machinery.connection.executemany(
            "INSERT INTO edge.funds (id, organization, name, currency, is_default)"
            " VALUES ($1, $2, 'Fund', $3, $4)",
            [(fund.id, identifier, currency, fund.is_default) for fund in made],
        )
        self.machinery.directory.forget()
        self.machinery.send(genesis(identifier))
        organization = Organization(tag, identifier, currency, [account], made)
        self.organizations.append(organization)
        return organization

    async def open_account(self, country: str) -> str:
        """An account at Stripe that takes charges and pays out."""
        body = await self.sandbox.ask(
            "POST",
            "/v1/accounts",
            **{
                "type": "express",
                "country": country,
                "capabilities[card_payments][requested]": "true",
                "capabilities[transfers][requested]": "true",
            },
        )
        account: str = body["id"]
        await self.sandbox.control(f"accounts/{account}/onboard")
        return account

    def id(self, prefix: str) -> str:
        """A new id of now."""
        return type_id(prefix, random_id(self.machinery.now()))

    async def advance(self, span: timedelta) -> None:
        """Let time pass at Stripe and here."""
        await self.sandbox.control("clock", advance_s=int(span.total_seconds()))
        await self.machinery.reconciling.age(self.machinery.connection, self.ids(), span)
        await self.machinery.set_clock()

    def ids(self) -> list[str]:
        """The organizations' ids."""
        return [organization.id for organization in self.organizations]

    def accounts(self) -> list[Account]:
        """All accounts, as reconciliation knows them."""
        return [
            Account(organization.id, organization.id.replace("_", "-"), account)
            for organization in self.organizations
            for account in organization.accounts
        ]

    async def work(self, dice: Random, rounds: int) -> bool:
        """Let the post and the platform do some of what they have to; whether there was any."""
        busy = False
        for _ in range(rounds):
            arrived = await self.deliver(dice)
            turned = await self.machinery.round(dice, self.trouble)
            if not (arrived or turned):
                break
            busy = True
        return busy

    async def deliver(self, dice: Random) -> bool:
        """Hand events on their way to the edge's own reception; whether any arrived."""
        arriving = self.sandbox.post.take(dice, self.trouble.weather)
        receive = self.machinery.reception.receive
        await asyncio.gather(*(receive(body, "connect") for _, body in arriving))
        for sequence, _ in arriving:
            self.sandbox.post.arrived(sequence)
        return bool(arriving)

    async def close(self) -> None:
        """Leave nothing to the next history."""
        await self.machinery.abandon(self.ids())
        self.sandbox.close()


def pick(dice: int, things: Sequence[T]) -> T | None:
    """One of the things, the same however many others are there: what makes histories shrink."""

    def rank(thing: T) -> bytes:
        return hashlib.sha256(f"{dice}/{getattr(thing, 'tag', thing)}".encode()).digest()

    return max(things, key=rank, default=None)
