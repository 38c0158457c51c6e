"""Registering organizations: all of it or nothing, and what must follow is on its way."""

from typing import Any
from uuid import UUID

import orjson
import pytest

from contracts.accounts import AccountRequested
from contracts.entries import EntryRequested
from contracts.identifiers import business_id, time_of
from contracts.permissions import PermissionsRequested
from edge.organizations.relationships import SCOPES
from edge.organizations.service import (
    OrganizationError,
    create_api_key,
    register_organization,
)
from tests.edge.scribe import Scribe
from tests.edge.stand import ORIGIN, Served, Stand, gift, until

pytestmark = pytest.mark.asyncio

EVERYBODY = ("user", "api_key", "collector", "visitor")


async def test_genesis_and_permissions_leave_with_the_organization(stand: Stand) -> None:
    registered = await stand.register(currencies=("EUR", "USD"), name="Hafenlichter")
    [genesis] = await stand.messages(registered.id, "entries.requested.v1")
    body = EntryRequested.model_validate_json(genesis["value"])
    assert (body.kind, body.visibility, body.subject) == ("genesis", "public_full", registered.id)
    assert body.details == {"name": "Hafenlichter", "origin": ORIGIN}
    assert genesis["partition"] == 0
    [permissions] = await stand.messages(registered.id, "permissions.requested.v1")
    changes = PermissionsRequested.model_validate_json(permissions["value"]).changes
    told = {
        f"{one.resource}#{one.relation}@{one.subject}"
        for one in changes
        if one.operation == "touch"
    }
    organization, key = f"organization:{registered.id}", f"api_key:{registered.key.id}"
    assert told == {
        f"{organization}#platform@platform:amply",
        *(f"{organization}#public_ledger@{who}:*" for who in EVERYBODY),
        *(f"{organization}#accepts_donations@{who}:*" for who in EVERYBODY),
        *(f"fund:{fund}#organization@{organization}" for fund in registered.funds.values()),
        f"{key}#organization@{organization}",
        f"{organization}#scope_donation_create@{key}",
        f"{organization}#scope_donation_read@{key}",
        f"{organization}#scope_donor_read@{key}",
    }
    assert set(registered.funds) == {"EUR", "USD"}


async def test_message_ids_come_from_the_organization(stand: Stand) -> None:
    registered = await stand.register()
    for topic, business_key in (
        ("entries.requested.v1", f"{registered.id}:genesis"),
        ("permissions.requested.v1", f"{registered.id}:permissions"),
    ):
        [message] = await stand.messages(registered.id, topic)
        identifier = UUID(dict(orjson.loads(message["headers"]))["ce_id"])
        assert identifier == business_id(time_of(identifier), business_key)


async def test_genesis_is_recorded_and_the_secret_is_kept_nowhere(stand: Stand) -> None:
    registered = await stand.register()
    await Scribe(stand).record(registered.id)
    rows = await stand.fetch(
        "SELECT kind FROM ledger.entries WHERE organization = $1", registered.id
    )
    assert [row["kind"] for row in rows] == ["genesis"]
    [key] = await stand.fetch(
        "SELECT t::text AS text FROM edge.api_keys t WHERE id = $1", registered.key.id
    )
    assert registered.key.secret not in key["text"]
    assert registered.key.secret.encode().hex() not in key["text"]


@pytest.mark.parametrize(
    "given",
    [
        {"slug": "Not A Slug"},
        {"slug": "a"},
        {"slug": "a--b"},
        {"name": ""},
        {"name": "two\nlines"},
        {"currencies": ()},
        {"currencies": ("XTS",)},
        {"scopes": ("everything",)},
    ],
)
async def test_what_is_wrong_is_said_and_nothing_is_left(
    stand: Stand, given: dict[str, Any]
) -> None:
    counts = (
        "SELECT (SELECT count(*) FROM edge.organizations), (SELECT count(*) FROM messages.outbox)"
    )
    before = await stand.fetch(counts)
    with pytest.raises(OrganizationError):
        await stand.register(**given)
    assert await stand.fetch(counts) == before


async def test_a_name_is_taken_once(stand: Stand) -> None:
    await stand.register(slug="first-come")
    with pytest.raises(OrganizationError, match="first-come"):
        await stand.register(slug="first-come")
    await stand.register(is_platform=True, accepts_donations=False)
    with pytest.raises(OrganizationError, match="platform"):
        await stand.register(is_platform=True)


async def test_an_account_from_before_is_asked_to_be_adopted(stand: Stand) -> None:
    async with stand.edge_connection() as connection:
        registered = await register_organization(
            connection,
            master_key=stand.settings.master_key,
            environment="test",
            origin=ORIGIN,
            slug="with-an-account",
            name="Harbour Lights",
            stripe_account="acct_before",
        )
    [message] = await stand.messages(registered.id, "accounts.requested.v1")
    body = AccountRequested.model_validate_json(message["value"])
    assert (body.action, body.account) == ("adopt", "acct_before")


async def test_a_key_is_made_for_an_organization_that_exists(stand: Stand) -> None:
    async with stand.edge_connection() as connection:
        with pytest.raises(OrganizationError, match="no organization"):
            await create_api_key(
                connection,
                master_key=stand.settings.master_key,
                environment="test",
                organization="org_" + "0" * 26,
                name="key",
            )


async def test_every_relation_of_a_scope_is_in_the_schema(stand: Stand) -> None:
    registered = await stand.register(scopes=tuple(SCOPES))
    assert registered.key.id  # SpiceDB took every relationship of every scope.


async def test_a_change_reaches_a_running_edge(stand: Stand, edge: Served) -> None:
    registered = await stand.register()
    assert (await edge.donate(gift(registered.id), registered.key.secret)).status == 202
    await stand.fetch(
        "UPDATE edge.organizations SET accepts_donations = false WHERE id = $1", registered.id
    )

    async def is_closed() -> bool:
        answer = await edge.donate(gift(registered.id), registered.key.secret)
        return answer.status == 409

    await until(is_closed, "the edge heard of the change")
