"""Everybody who may ask, one for each column of the table, and three organizations to ask about.

`own` is where they have their roles and keys, `other` is somebody else's, in `suspended` they have
the same roles and keys of their own, but the platform has frozen it.
"""

import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final
from uuid import NAMESPACE_URL, uuid5

import orjson
from aiohttp import web

from contracts.identifiers import random_id, type_id
from edge.authentication import token_of
from edge.caller import Caller
from edge.database.pool import Database
from edge.keys.models import ApiKeyRequest
from edge.keys.service import Keys
from edge.operations import OPERATIONS
from edge.organizations import relationships
from edge.organizations.relationships import (
    EVERYBODY,
    PUBLISHABLE_SCOPES,
    SCOPES,
    CollectionRow,
    FundRow,
    KeyRow,
    OrganizationRow,
    Row,
)
from edge.organizations.service import Registered, create_api_key
from edge.resources import Command
from edge.spicedb import Question, SpiceDB
from tests.authorization.lab import Lab
from tests.edge.stand import Served, Stand, gift, until
from tests.edge.test_reading import project

MEMBERS: Final = ("viewer", "content", "finance", "admin", "owner", "auditor", "board")
STAFF: Final = ("support", "operations", "superuser")
PEOPLE: Final = (*MEMBERS, "blocked", "weak_owner", "stranger", *STAFF)
KEYS: Final = ("key", "key_without_scope", "key_not_told", "revoked_key")
#: Keys that see of gifts what they made themselves, and nothing else.
NARROW_KEYS: Final = ("publishable_key", "collector_key")
COLUMNS: Final = ("visitor", *PEOPLE, *KEYS, *NARROW_KEYS)
ORGANIZATIONS: Final = ("own", "other", "suspended")
ALL_SCOPES: Final = frozenset(
    {*SCOPES, *(one.scope for one in OPERATIONS if one.scope is not None)}
)


def person_of(column: str) -> str:
    """The id of the person in a column, the same in every run."""
    return type_id("usr", uuid5(NAMESPACE_URL, column))


class SignedIn:
    """`edge.gate.People` who are who they say: the token is the person's id."""

    async def caller_of(self, request: web.Request) -> Caller | None:
        token = token_of(request)
        if token is None or not token.startswith(b"usr_"):
            return None
        person = token.decode()
        return Caller(
            id=person,
            kind="person",
            subject=f"user:{person}",
            organization="",
            environment="test",
            scopes=ALL_SCOPES,
            authenticated_at=datetime.now(UTC),
            is_strong=person != person_of("weak_owner"),
        )

    def step_up_challenge(self) -> str:
        return 'Bearer realm="amply", error="insufficient_user_authentication"'


@dataclass
class Place:
    """An organization, a gift to it, and its keys by column: secret and id."""

    registered: Registered
    slug: str
    gift: str = ""
    refund: str = ""
    keys: dict[str, tuple[str, str]] = field(default_factory=dict)
    collector: str = ""
    gifts_of_keys: dict[str, str] = field(default_factory=dict)

    @property
    def id(self) -> str:
        return self.registered.id


@dataclass
class Cast:
    """Who is there, and where."""

    places: Mapping[str, Place]

    def headers(self, column: str, organization: str) -> dict[str, str]:
        """How somebody asks about an organization."""
        if column == "visitor":
            return {}
        if column in PEOPLE:
            slug = self.places[organization].slug
            return {
                "Authorization": f"Bearer {person_of(column)}",
                "Amply-Organization": slug,
            }
        secret, _ = self._keys_at(organization)[column]
        return {"Authorization": f"Bearer {secret}"}

    def subject(self, column: str, organization: str) -> str:
        """What SpiceDB knows somebody as."""
        if column in PEOPLE:
            return f"user:{person_of(column)}"
        if column == "collector_key":
            return f"collector:{self._place_of_keys(organization).collector}"
        return f"api_key:{self._keys_at(organization)[column][1]}"

    def gift(self, column: str, organization: str) -> str:
        """The gift that somebody asks about; of a narrow key another one is a neighbour's."""
        place = self.places[organization]
        if column not in NARROW_KEYS:
            return place.gift
        return self.places["own"].gift if organization == "other" else place.gifts_of_keys[column]

    def _place_of_keys(self, organization: str) -> Place:
        return self.places["suspended" if organization == "suspended" else "own"]

    def _keys_at(self, organization: str) -> Mapping[str, tuple[str, str]]:
        return self._place_of_keys(organization).keys

    def relationships(self) -> Iterator[str]:
        """What SpiceDB holds of all this."""
        for role in STAFF:
            yield f"platform:amply#{role}@user:{person_of(role)}"
        for name, place in self.places.items():
            about = f"organization:{place.id}"
            rows: list[Row] = [
                OrganizationRow(place.id, "verified", "approved", accepts_donations=True),
                *(FundRow(fund, place.id) for fund in place.registered.funds.values()),
            ]
            # SpiceDB allows it what the scopes in its row do not.
            told = ("key", "key_without_scope", "revoked_key")
            keys = [place.registered.key.id, *(place.keys[one][1] for one in told if place.keys)]
            rows += [KeyRow(key, place.id, tuple(SCOPES)) for key in keys]
            if place.collector:
                rows.append(CollectionRow(place.id, place.collector, is_allowed=True))
                _, key = place.keys["publishable_key"]
                rows.append(KeyRow(key, place.id, tuple(PUBLISHABLE_SCOPES)))
            for one in relationships.following(rows, datetime.now(UTC)):
                if name != "other" or one.relation != "public_ledger":
                    yield f"{one.resource}#{one.relation}@{one.subject}"
            if name == "suspended":
                yield from (f"{about}#suspended@{everybody}" for everybody in EVERYBODY)
            if name != "other":
                for role in MEMBERS:
                    yield f"{about}#{role}@user:{person_of(role)}"
                for role in ("blocked", "weak_owner"):
                    yield f"{about}#owner@user:{person_of(role)}"
                yield f"{about}#blocked@user:{person_of('blocked')}"


async def gather(stand: Stand, edge: Served) -> Cast:
    """Make everybody, in few writes."""
    places = {}
    for name in ORGANIZATIONS:
        slug = f"{name}-{secrets.token_hex(4)}"
        registered = await stand.register(
            slug=slug, scopes=("donations:write", "refunds:write"), with_permissions=False
        )
        places[name] = Place(registered, slug)
        if name != "other":
            await _make_keys(stand, places[name])
    cast = Cast(places)
    lines = list(cast.relationships())
    frozen = [line for line in lines if "#suspended@" in line]
    lab = Lab(stand.engines.spicedb_endpoint, stand.engines.spicedb_token)
    async with lab.open() as session:
        await session.touch([line for line in lines if line not in frozen])
        for place in places.values():
            await _give(stand, edge, place)
        await session.touch(frozen)
    await _seen(stand, places["suspended"])
    return cast


async def _seen(stand: Stand, suspended: Place) -> None:
    """Wait until answers of any age know the suspension: no worker keeps its ZedToken here."""
    spicedb = SpiceDB(stand.settings.spicedb, stand.settings.spicedb_token)
    _, key = suspended.keys["key"]
    question = Question(f"organization:{suspended.id}", "create_donation_by_api", f"api_key:{key}")

    async def is_refused() -> bool:
        return not await spicedb.ask(question)

    await until(is_refused, "the suspension is seen", timeout_s=60)


async def _give(stand: Stand, edge: Served, place: Place) -> None:
    secret = place.registered.key.secret
    place.gift = await _accepted(edge, secret, gift(place.id), "/v1/donations")
    await project(stand, place.id, place.gift, "captured")
    path = f"/v1/donations/{place.gift}/refunds"
    place.refund = await _accepted(edge, secret, {"amount_minor": 1}, path)
    for column in NARROW_KEYS if place.keys else ():
        made = await _accepted(edge, place.keys[column][0], gift(place.id), "/v1/donations")
        await project(stand, place.id, made, "captured")
        place.gifts_of_keys[column] = made


async def _accepted(edge: Served, secret: str, body: object, path: str) -> str:
    """The id of what was accepted, once SpiceDB answers in time."""

    async def ask() -> str | None:
        posted = await edge.donate(body, secret, path=path)
        assert posted.status in (202, 503), posted.body
        return str(posted.json["id"]) if posted.status == 202 else None

    return str(await until(ask, "it is accepted", timeout_s=60))


async def _make_keys(stand: Stand, place: Place) -> None:
    async with stand.edge_connection() as connection:
        for column in KEYS:
            scopes = [] if column == "key_without_scope" else list(SCOPES)
            made = await create_api_key(
                connection,
                master_key=stand.settings.master_key,
                environment="test",
                organization=place.id,
                name=column,
                scopes=scopes,
            )
            place.keys[column] = made.secret, made.id
    await stand.fetch(
        "UPDATE edge.api_keys SET revoked_at = now() WHERE id = $1", place.keys["revoked_key"][1]
    )
    place.collector = type_id("col", random_id(datetime.now(UTC)))
    await stand.fetch(
        "INSERT INTO edge.collectors (id, name, kind, manager)"
        " VALUES ($1, 'Kiosk', 'shop', 'test')",
        place.collector,
    )
    await stand.fetch(
        "INSERT INTO edge.collections (collector, organization, status, allowed_by)"
        " VALUES ($1, $2, 'allowed', 'test')",
        *(place.collector, place.id),
    )
    page = ApiKeyRequest(name="page", kind="publishable", origins=["https://give.test"])
    place.keys["publishable_key"] = await _made(stand, place.id, page)
    till = ApiKeyRequest(name="till")
    place.keys["collector_key"] = await _made(stand, place.collector, till)


async def _made(stand: Stand, holder: str, body: ApiKeyRequest) -> tuple[str, str]:
    """A key as the API makes one: its secret and id."""
    database = Database(stand.settings.postgres)
    await database.open()
    keys = Keys(database, stand.settings.master_key, "test")
    by = type_id("usr", random_id(datetime.now(UTC)))
    command = Command(by, "test", "POST /", secrets.token_hex(8), bytes(32), by, body)
    made, _, _ = await keys.make(holder, command)
    await database.close()
    return made["secret"], made["id"]


def as_json(body: object) -> bytes:
    """A body's bytes."""
    return orjson.dumps(body)
