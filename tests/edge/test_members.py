"""Who gives which role to whom, that what is taken counts at once, and invitations by mail."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest

from contracts.permissions import PermissionsRequested
from edge.errors import ProblemError
from edge.members import decisions
from edge.members.models import Role
from tests.edge.crowd import Crowd, Person
from tests.edge.stand import Answer, Stand, until

ROLES = get_args(Role)
#: By the rank of whoever gives: the roles that they may give and take.
GIVES = {
    "owner": {"owner", "admin", "finance", "content", "viewer", "auditor", "board"},
    "admin": {"admin", "finance", "content", "viewer", "auditor", "board"},
}


def test_nobody_gives_or_takes_a_role_above_the_own_one() -> None:
    for by, before, after in itertools.product(ROLES, (None, *ROLES), (None, *ROLES)):
        expected = by in GIVES and {before, after} - {None} <= GIVES[by]
        assert decisions.may_change(by, before, after) is expected, (by, before, after)


def test_there_is_always_an_owner() -> None:
    for before, after, owners in itertools.product(ROLES, (None, *ROLES), (1, 2)):
        if before == "owner" and after != "owner" and owners == 1:
            with pytest.raises(ProblemError) as raised:
                decisions.require_owner_left(before, after, owners)
            assert raised.value.code == "last_owner"
        else:
            decisions.require_owner_left(before, after, owners)


def test_a_role_holds_itself_and_the_smaller_ones_of_its_chain() -> None:
    chain = ["viewer", "content", "finance", "admin", "owner"]
    for role, written in itertools.product((None, *ROLES), ROLES):
        is_smaller = role in chain and written in chain[: chain.index(role)]
        expected = role is not None and (written == role or is_smaller)
        assert decisions.covers(role, {written}, decisions.RANKS) is expected, (role, written)
    assert decisions.covers(None, set(), decisions.RANKS)


def path(organization: str, *more: str) -> str:
    return "/".join((f"/v1/organizations/{organization}", *more))


async def relations(stand: Stand, organization: str) -> set[str]:
    """What the last message about the organization changes, spelled with its operation."""
    message = (await stand.messages(organization, "permissions.requested.v1"))[-1]
    changes = PermissionsRequested.model_validate_json(message["value"]).changes
    return {f"{one.operation} {one.relation} {one.subject}" for one in changes}


async def manage(crowd: Crowd, organization: str, person: Person) -> Answer:
    """What only an admin may, by SpiceDB's newest word: they are told that there is none such."""
    identifier = "inv_" + "0" * 26
    return await person.ask("DELETE", path(organization, "invitations", identifier))


async def test_a_role_is_changed_within_ones_own_rank(crowd: Crowd) -> None:
    organization = (await crowd.stand.register()).id
    owner = await crowd.member(organization, "owner")
    admin = await crowd.member(organization, "admin")
    viewer = await crowd.member(organization, "viewer")
    one = path(organization, "members", viewer.id)
    tag = (await admin.ask("GET", one)).headers["ETag"]
    weak = await admin.ask_weakly("PATCH", one, {"role": "finance"}, If_Match=tag)
    assert (weak.status, weak.code) == (401, "step_up_needed")
    changed = await admin.ask("PATCH", one, {"role": "finance"}, If_Match=tag)
    assert (changed.status, changed.json["role"]) == (200, "finance")
    assert await relations(crowd.stand, organization) == {
        f"touch finance user:{viewer.id}",
        *(f"delete {role} user:{viewer.id}" for role in ROLES if role != "finance"),
    }
    stale = await admin.ask("PATCH", one, {"role": "viewer"}, If_Match=tag)
    assert stale.code == "precondition_failed"
    for who, of, role, status, code in (
        (admin, viewer, "owner", 403, "role_above_own"),
        (admin, owner, "viewer", 403, "role_above_own"),
        (viewer, viewer, "admin", 403, "permission_denied"),
        (owner, owner, "admin", 409, "last_owner"),
        (admin, viewer, "king", 422, "invalid_body"),
    ):
        answer = await who.ask(
            "PATCH", path(organization, "members", of.id), {"role": role}, If_Match="*"
        )
        assert (answer.status, answer.code) == (status, code), (role, answer.body)
    until = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    refused = await owner.ask("PATCH", one, {"expires_at": until}, If_Match="*")
    assert refused.code == "invalid_body"
    auditor = await owner.ask("PATCH", one, {"role": "auditor", "expires_at": until}, If_Match="*")
    assert (auditor.status, auditor.json["role"]) == (200, "auditor")
    listed = await owner.ask("GET", path(organization, "members?role=auditor"))
    assert [one["id"] for one in listed.json["data"]] == [viewer.id]


async def test_a_removed_member_is_refused_before_spicedb_was_told(crowd: Crowd) -> None:
    organization = (await crowd.stand.register()).id
    owner = await crowd.member(organization, "owner")
    admin = await crowd.member(organization, "admin")
    assert (await manage(crowd, organization, admin)).code == "invitation_not_found"
    # SpiceDB holds a right on a fund too, which nobody here remembers giving.
    [fund] = await crowd.stand.fetch(
        "SELECT id FROM edge.funds WHERE organization = $1", organization
    )
    await crowd.stand.fetch(
        "INSERT INTO permissions.relationships (organization, resource, relation, subject)"
        " VALUES ($1, $2, 'manager', $3)",
        *(organization, f"fund:{fund['id']}", f"user:{admin.id}"),
    )
    one = path(organization, "members", admin.id)
    assert (await owner.ask("DELETE", one, If_Match='"99"')).code == "precondition_failed"
    assert (await owner.ask("DELETE", one)).status == 204
    refused = await manage(crowd, organization, admin)
    assert (refused.status, refused.code) == (404, "organization_not_found")
    assert (await owner.ask("GET", one)).code == "member_not_found"
    assert (await owner.ask("DELETE", one)).code == "member_not_found"
    # Nothing is left for whoever gets a role of the same name later.
    told = await relations(crowd.stand, organization)
    assert told == {
        f"delete manager user:{admin.id}",
        *(f"delete {role} user:{admin.id}" for role in ROLES),
    }


async def test_a_smaller_role_is_refused_until_spicedb_knows_it(crowd: Crowd) -> None:
    organization = (await crowd.stand.register()).id
    owner = await crowd.member(organization, "owner")
    admin = await crowd.member(organization, "admin")
    # What the permissions worker notes of the role that SpiceDB holds.
    await crowd.stand.fetch(
        "INSERT INTO permissions.relationships (organization, resource, relation, subject)"
        " VALUES ($1, $2, 'admin', $3)",
        *(organization, f"organization:{organization}", f"user:{admin.id}"),
    )
    assert (await manage(crowd, organization, admin)).code == "invitation_not_found"
    changed = await owner.ask(
        "PATCH", path(organization, "members", admin.id), {"role": "viewer"}, If_Match="*"
    )
    assert changed.status == 200
    waiting = await manage(crowd, organization, admin)
    assert (waiting.status, waiting.code) == (503, "permissions_unavailable")
    await crowd.stand.apply_permissions(organization)
    await crowd.stand.fetch(
        "UPDATE permissions.relationships SET relation = 'viewer' WHERE subject = $1",
        f"user:{admin.id}",
    )
    assert (await manage(crowd, organization, admin)).code == "permission_denied"
    assert (await admin.ask("GET", path(organization, "members"))).status == 200


async def test_an_auditors_role_ends_with_its_time(crowd: Crowd) -> None:
    organization = (await crowd.stand.register()).id
    soon = datetime.now(UTC) + timedelta(hours=1)
    auditor = await crowd.member(organization, "auditor", soon)
    assert (await auditor.ask("GET", path(organization, "members"))).status == 200
    await crowd.stand.fetch(
        "UPDATE edge.members SET expires_at = now() WHERE person = $1", auditor.id
    )
    assert (await auditor.ask("GET", path(organization, "members"))).status == 404


async def test_whoever_leaves_has_left_unless_nobody_owns_it_then(crowd: Crowd) -> None:
    organization = (await crowd.stand.register()).id
    owner = await crowd.member(organization, "owner")
    viewer = await crowd.member(organization, "viewer")
    assert (await viewer.ask("POST", path(organization, "leave"))).status == 204
    assert (await viewer.ask("GET", path(organization))).status == 404
    alone = await owner.ask("POST", path(organization, "leave"))
    assert (alone.status, alone.code) == (409, "last_owner")


async def test_of_two_owners_who_take_each_others_role_one_stays(crowd: Crowd) -> None:
    organization = (await crowd.stand.register()).id
    one, two = [await crowd.member(organization, "owner") for _ in range(2)]
    answers = await asyncio.gather(
        one.ask("DELETE", path(organization, "members", two.id)),
        two.ask("DELETE", path(organization, "members", one.id)),
    )
    assert sorted(answer.status for answer in answers)[0] == 204
    rows = await crowd.stand.fetch(
        "SELECT count(*) AS n FROM edge.members WHERE organization = $1 AND removed_at IS NULL",
        organization,
    )
    assert rows[0]["n"] == 1


async def test_members_of_other_organizations_are_nobody(crowd: Crowd) -> None:
    mine, theirs = [(await crowd.stand.register()).id for _ in range(2)]
    owner = await crowd.member(mine, "owner")
    stranger = await crowd.member(theirs, "owner")
    for method, place in (
        ("GET", path(mine, "members")),
        ("GET", path(mine, "members", owner.id)),
        ("DELETE", path(mine, "members", owner.id)),
        ("POST", path(mine, "leave")),
        ("GET", path(mine, "invitations")),
    ):
        answer = await stranger.ask(method, place)
        assert (answer.status, answer.code) == (404, "organization_not_found"), place
    # A member of mine is none of theirs, whatever is asked about them.
    assert (await stranger.ask("GET", path(theirs, "members", owner.id))).status == 404


async def test_staff_roles_are_given_by_superusers_and_taken_at_once(crowd: Crowd) -> None:
    boss, operator = await crowd.staff("superuser"), await crowd.staff("operations")
    ada = await crowd.person()
    place = f"/v1/staff/members/{ada.id}"
    assert (await operator.ask("PUT", place, {"role": "support"})).code == "permission_denied"
    given = await boss.ask("PUT", place, {"role": "support"})
    assert (given.status, given.json["role"]) == (200, "support")
    await crowd.stand.apply_permissions(await crowd.platform())
    assert (await ada.ask("GET", "/v1/staff/organizations")).status == 200
    listed = await boss.ask("GET", "/v1/staff/members")
    assert {ada.id, boss.id, operator.id} <= {one["id"] for one in listed.json["data"]}
    assert (await boss.ask("DELETE", place)).status == 204
    assert (await ada.ask("GET", "/v1/staff/organizations")).status == 403
    assert (await boss.ask("DELETE", place)).code == "member_not_found"
    supers = [one["id"] for one in listed.json["data"] if one["role"] == "superuser"]
    for other in supers:
        if other != boss.id:
            await boss.ask("DELETE", f"/v1/staff/members/{other}")
    alone = await boss.ask("DELETE", f"/v1/staff/members/{boss.id}")
    assert (alone.status, alone.code) == (409, "last_owner")


async def test_names_are_for_those_who_manage_members_and_leave_a_trace(crowd: Crowd) -> None:
    organization = (await crowd.stand.register()).id
    grace, nobody = (
        await crowd.person("grace@example.org"),
        await crowd.member(organization, "board"),
    )
    await crowd.seat(organization, grace, "viewer")
    readers = {
        role: await crowd.member(organization, role) for role in ("owner", "admin", "finance")
    }
    readers |= {role: await crowd.staff(role) for role in ("support", "superuser")}
    named = {"owner", "admin", "superuser"}
    for role, reader in readers.items():
        listed = await reader.ask("GET", path(organization, "members"))
        one = await reader.ask("GET", path(organization, "members", grace.id))
        wanted = ("Ada", "grace@example.org") if role in named else (None, None)
        assert (one.json["name"], one.json["email"]) == wanted, role
        tag = one.headers["ETag"]
        by_id = {row["id"]: (row["name"], row["email"]) for row in listed.json["data"]}
        assert (by_id[grace.id], by_id[nobody.id]) == (wanted, (None, None)), role
    # The tag says nothing of who reads: what one reader kept is not what another may see.
    again = await readers["support"].ask(
        "GET", path(organization, "members", grace.id), If_None_Match=tag
    )
    assert (again.status, again.json["name"]) == (200, None)
    owner = readers["owner"]
    key = await crowd.stand.register()
    assert (await crowd.edge.get(path(organization, "members"), key.key.secret)).status != 200
    changed = await owner.ask(
        "PATCH", path(organization, "members", grace.id), {"role": "content"}, If_Match="*"
    )
    assert (changed.json["name"], changed.json["email"]) == (None, None)
    assert "example.org" not in str(
        await crowd.stand.messages(organization, "resources.changed.v1")
    )

    async def traces() -> list[tuple[str, str]]:
        rows = await crowd.stand.fetch(
            "SELECT actor, resource FROM audit.pending WHERE organization = $1"
            " AND outcome = 'read' AND action IN ('listMembers', 'showMember')"
            " AND resource IS NOT NULL",
            organization,
        )
        return [(row["actor"], row["resource"]) for row in rows]

    wanted_traces = sorted(
        (readers[role].id, resource) for role in named for resource in (organization, grace.id)
    )
    await until(lambda: _has(traces, wanted_traces), "the reads are noted")


async def _has(traces: Callable[[], Awaitable[list[tuple[str, str]]]], wanted: object) -> bool:
    return sorted(await traces()) == wanted
