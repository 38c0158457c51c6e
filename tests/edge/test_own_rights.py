"""A person's own rights: all that is kept of them, and to be forgotten, leaving nobody alone."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg

from contracts.permissions import PermissionsRequested
from tests.databases import role_dsn
from tests.edge.crowd import Crowd, Person
from tests.edge.stand import Stand
from tests.edge.test_applications import applied
from workers.retention.erasing import apply_journal
from workers.retention.journal import Journal
from workers.retention.schedule import Retention


async def retain(stand: Stand, folder: Path) -> int:
    """What the process `retention` does with requests."""
    dsn = role_dsn(stand.superuser_dsn, "retention")
    connection = await asyncpg.connect(dsn)
    try:
        return await Retention(dsn, Journal(folder / "journal")).forget(connection)
    finally:
        await connection.close()


async def test_a_person_sees_all_that_is_kept_of_them(crowd: Crowd) -> None:
    ada = await crowd.person("ada@example.org")
    organization = (await applied(crowd, ada)).json["id"]
    past = (await crowd.stand.register()).id
    await crowd.seat(past, ada, "viewer")
    await crowd.stand.fetch(
        "UPDATE edge.members SET removed_at = now(), removed_by = 'test'"
        " WHERE person = $1 AND organization = $2",
        *(ada.id, past),
    )
    await crowd.platform()
    shop = (await ada.ask("POST", "/v1/collectors", {"name": "Ada's", "kind": "shop"})).json["id"]
    answer = await ada.ask("GET", "/v1/me")
    assert answer.status == 200, answer.body
    me = answer.json
    assert (me["id"], me["name"], me["email"]) == (ada.id, "Ada", "ada@example.org")
    assert {
        (one["organization"], one["role"], one["removed_at"] is None) for one in me["memberships"]
    } == {
        (organization, "owner", True),
        (past, "viewer", False),
    }
    assert [one["id"] for one in me["collectors"]] == [shop]
    assert [one["id"] for one in me["applications"]] == [organization]
    assert (me["staff_role"], me["sessions"], me["erasure"]) == (None, [], None)
    assert datetime.fromisoformat(me["created_at"]) <= datetime.now(UTC)
    stranger = (await (await crowd.person()).ask("GET", "/v1/me")).json
    assert (stranger["memberships"], stranger["collectors"]) == ([], [])
    assert (await (await crowd.staff("support")).ask("GET", "/v1/me")).json[
        "staff_role"
    ] == "support"


async def test_nobody_leaves_an_organization_or_a_collector_alone(crowd: Crowd) -> None:
    ada = await crowd.person()
    organization = (await crowd.stand.register()).id
    await crowd.seat(organization, ada, "owner")
    pending = (await applied(crowd, ada)).json
    await crowd.platform()
    shop = (await ada.ask("POST", "/v1/collectors", {"name": "Shop", "kind": "shop"})).json["id"]
    refused = await ada.ask("DELETE", "/v1/me")
    assert (refused.status, refused.code) == (409, "person_needed")
    [row] = await crowd.stand.fetch(
        "SELECT slug FROM edge.organizations WHERE id = $1", organization
    )
    for name in (row["slug"], pending["slug"], shop):
        assert name in refused.json["detail"]
    assert (await ada.ask("GET", "/v1/me")).json["erasure"] is None
    await crowd.member(organization, "owner")
    assert (await ada.ask("POST", f"/v1/organizations/{pending['id']}/withdraw")).status == 200
    assert (await ada.ask("DELETE", f"/v1/collectors/{shop}")).status == 204
    assert (await ada.ask("DELETE", "/v1/me")).status == 202


async def test_who_asks_is_forgotten_everywhere_and_after_a_restore_again(
    crowd: Crowd, tmp_path: Path
) -> None:
    ada, other = await crowd.person("grace@example.org"), await crowd.person()
    organization = (await crowd.stand.register()).id
    await crowd.seat(organization, ada, "admin")
    await crowd.member(organization, "owner")
    await crowd.seat(organization, other, "viewer")
    weak = await ada.ask_weakly("DELETE", "/v1/me")
    assert (weak.status, weak.code) == (401, "step_up_needed")
    asked = await ada.ask("DELETE", "/v1/me")
    assert (asked.status, asked.json["status"]) == (202, "requested")
    # At once: no role, and SpiceDB and listeners are told.
    assert (await ada.ask("GET", f"/v1/organizations/{organization}")).status == 404
    message = (await crowd.stand.messages(organization, "permissions.requested.v1"))[-1]
    changes = PermissionsRequested.model_validate_json(message["value"]).changes
    assert f"user:{ada.id}" in {one.subject for one in changes if one.operation == "delete"}
    told = (await crowd.stand.messages(organization, "resources.changed.v1"))[-1]
    assert b'"member.removed"' in told["value"] and ada.id.encode() in told["value"]
    again = await ada.ask("DELETE", "/v1/me")
    assert (again.status, again.json["id"]) == (202, asked.json["id"])
    assert await retain(crowd.stand, tmp_path) >= 1
    assert await retain(crowd.stand, tmp_path) == 0
    assert ada.id in {one.person for one in Journal(tmp_path / "journal").read_people()}
    [row] = await kept(crowd, ada)
    assert (row["profile"], row["wrapped_key"], row["email_hash"]) == (None, None, None)
    [sealed] = await crowd.stand.fetch(
        "SELECT count(client) AS n, count(*) AS rows FROM audit.pending WHERE actor = $1", ada.id
    )
    assert (sealed["n"], sealed["rows"] > 0) == (0, True)
    [done] = await crowd.stand.fetch(
        "SELECT done_at FROM edge.person_erasures WHERE person = $1", ada.id
    )
    assert done["done_at"] is not None
    # Whoever comes again by the same sign-in is somebody new.
    assert (await ada.ask("GET", "/v1/me")).json["id"] != ada.id
    # A backup from before remembers them, until the journal is applied.
    await crowd.stand.fetch(
        "UPDATE edge.people SET profile = 'x', wrapped_key = 'x', forgotten_at = NULL"
        " WHERE id = $1",
        ada.id,
    )
    connection = await asyncpg.connect(role_dsn(crowd.stand.superuser_dsn, "operations"))
    try:
        journal = Journal(tmp_path / "journal")
        counts = [await apply_journal(connection, journal) for _ in range(2)]
    finally:
        await connection.close()
    assert counts == [1, 0]
    [row] = await kept(crowd, ada)
    assert row["profile"] is None
    assert len(await kept(crowd, other)) == 1


async def kept(crowd: Crowd, person: Person) -> list[Any]:
    return await crowd.stand.fetch("SELECT * FROM edge.people WHERE id = $1", person.id)


async def test_staff_and_sessions_end_with_the_person(crowd: Crowd) -> None:
    support = await crowd.staff("support")
    await crowd.stand.fetch(
        "INSERT INTO edge.sessions (id, person, secret_hash, is_strong, created_at, seen_at,"
        " expires_at) VALUES ('ses_' || repeat('0', 26), $1, sha256('x'), true, now(), now(),"
        " now() + interval '1 day')",
        support.id,
    )
    assert (await support.ask("DELETE", "/v1/me")).status == 202
    [session] = await crowd.stand.fetch(
        "SELECT revoked_at FROM edge.sessions WHERE person = $1", support.id
    )
    assert session["revoked_at"] is not None
    assert (await support.ask("GET", "/v1/staff/organizations")).status == 403


async def test_the_last_superuser_stays(crowd: Crowd) -> None:
    boss = await crowd.staff("superuser")
    await crowd.stand.fetch(
        "UPDATE edge.staff SET removed_at = now() WHERE role = 'superuser' AND person <> $1",
        boss.id,
    )
    refused = await boss.ask("DELETE", "/v1/me")
    assert (refused.status, refused.code) == (409, "last_owner")
