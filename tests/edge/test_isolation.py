"""What the edge's role may do: rows of one organization at a time, no personal data in clear."""

import asyncpg
import orjson
import pytest

from contracts.donations import DonationRequested
from ledger import keys
from ledger.personal_data import open_donor
from tests.edge.stand import Served, Stand, gift

pytestmark = pytest.mark.asyncio

TENANT_TABLES = ("edge.requests", "edge.donor_profiles")


async def test_rows_of_another_organization_are_invisible_to_the_role(
    stand: Stand, edge: Served
) -> None:
    one, two = await stand.register(), await stand.register()
    for registered in (one, two):
        assert (await edge.donate(gift(registered.id), registered.key.secret)).status == 202
    async with stand.edge_connection() as connection:
        for table in TENANT_TABLES:
            assert await connection.fetch(f"SELECT * FROM {table}") == []
            async with connection.transaction():
                await connection.execute("SELECT set_config('app.organizations', $1, true)", one.id)
                rows = await connection.fetch(f"SELECT organization FROM {table}")
                assert {row["organization"] for row in rows} == {one.id}
            assert await connection.fetch(f"SELECT * FROM {table}") == []


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE edge.organizations SET slug = 'taken' WHERE id = $1",
        "UPDATE edge.funds SET name = 'taken' WHERE organization = $1",
        "UPDATE edge.api_keys SET revoked_at = NULL WHERE organization = $1",
    ],
)
async def test_nothing_is_written_outside_the_scope(stand: Stand, statement: str) -> None:
    one, two = await stand.register(), await stand.register()
    async with stand.edge_connection() as connection, connection.transaction():
        await connection.execute("SELECT set_config('app.organizations', $1, true)", one.id)
        assert await connection.execute(statement, two.id) == "UPDATE 0"


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM edge.requests",
        "UPDATE edge.requests SET answer = ''",
        "DELETE FROM edge.donor_profiles",
        "DELETE FROM edge.api_keys",
        "SELECT * FROM messages.outbox",
        "SELECT * FROM ledger.entries",
        "SELECT * FROM payments.attempts",
        "INSERT INTO donations.donations (organization, id, status, updated_at)"
        " VALUES ('o', 'd', 'recorded', now())",
        "SELECT * FROM edge.requests_0",
    ],
)
async def test_what_the_role_has_no_business_with(stand: Stand, statement: str) -> None:
    async with stand.edge_connection() as connection:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(statement)


async def test_a_person_is_sealed_before_anything_is_stored(stand: Stand, edge: Served) -> None:
    registered = await stand.register()
    donor = {"name": "Ada Lovelace-Byron", "email": "Ada@Lovelace.Example", "display": "public"}
    for _ in range(2):
        body = gift(registered.id, donor=donor)
        assert (await edge.donate(body, registered.key.secret)).status == 202
    messages = await stand.messages(registered.id, "donations.requested.v1")
    told = [DonationRequested.model_validate_json(message["value"]) for message in messages]
    [profile] = await stand.fetch(
        "SELECT id, wrapped_key FROM edge.donor_profiles WHERE organization = $1", registered.id
    )
    # One person, one profile; equal donors give unequal seals.
    assert [one.donor.profile for one in told if one.donor] == [profile["id"]] * 2
    assert len({one.donor.seal for one in told if one.donor}) == 2
    data_key = keys.KeyRing(stand.settings.master_key).unwrap(profile["wrapped_key"], profile["id"])
    for one in told:
        assert one.donor is not None
        assert open_donor(one.donor.opening, profile["id"], data_key)["value"] == donor
    tables = await stand.fetch(
        "SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables"
        " WHERE schemaname IN ('edge', 'messages')"
    )
    for table in tables:
        rows = await stand.fetch(f"SELECT t::text AS text FROM {table['name']} t")
        for needle in ("lovelace", b"lovelace".hex()):
            assert not [row for row in rows if needle in row["text"].lower()], table["name"]


async def test_the_message_says_who_collected_and_where_it_shall_be_seen(
    stand: Stand, edge: Served
) -> None:
    registered = await stand.register(visibility="delayed_public")
    posted = await edge.donate(gift(registered.id, covers_fee=True), registered.key.secret)
    [message] = await stand.messages(registered.id, "donations.requested.v1")
    told = DonationRequested.model_validate_json(message["value"])
    headers = dict(orjson.loads(message["headers"]))
    assert told.donation == posted.json["id"]
    assert bytes(message["key"]).decode() == told.donation
    assert headers["ce_organization"] == registered.id
    assert "ce_cause" not in headers
    assert told.collected_by == registered.key.id
    assert told.fund == registered.funds["EUR"]
    assert told.charge_amount_minor == posted.json["charge_amount_minor"] > 2500
    assert told.visibility == "delayed_public"
    assert told.public_after is not None


async def test_log_lines_name_ids_and_no_person(
    stand: Stand, edge: Served, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    registered = await stand.register()
    body = gift(registered.id, donor={"name": "Grace Hopper", "email": "grace@hopper.example"})
    forged = 'curl\\r\\n{"level":"info","event":"request","outcome":"forged"}%0d%0a'
    answer = await edge.donate(body, registered.key.secret, User_Agent=forged)
    broken = await edge.donate({**body, "amount_minor": "grace"}, registered.key.secret)
    unmatched = await edge.get("/people/grace@hopper.example?name=grace")
    assert (answer.status, broken.status, unmatched.status) == (202, 422, 404)
    output = capfdbinary.readouterr().out.decode().lower()
    assert answer.json["id"] in output
    for secret in ("grace", "hopper", "forged", registered.key.secret.lower()):
        assert secret not in output
