"""Invitations by mail: for one verified address, once, for a time, up to the inviter's own rank."""

from typing import Any

import orjson
import pytest

from contracts.invitations import SEALED_PURPOSE
from ledger import keys
from tests.edge.crowd import Crowd, Person
from tests.edge.stand import Answer
from tests.edge.test_members import manage, path


async def invited(crowd: Crowd, by: Person, organization: str, **body: Any) -> tuple[str, str]:
    """The invitation's id, and the token in its mail."""
    answer = await by.ask("POST", path(organization, "invitations"), body)
    assert answer.status == 201, answer.body
    [row] = await crowd.stand.fetch(
        "SELECT sealed FROM edge.invitations WHERE id = $1", answer.json["id"]
    )
    key = keys.derive(crowd.stand.settings.master_key, SEALED_PURPOSE)
    said = orjson.loads(keys.decrypt(key, row["sealed"], answer.json["id"].encode()))
    assert said["email"] == body["email"]
    assert said["token"] not in str(answer.body)
    return answer.json["id"], said["token"]


async def accept(person: Person, token: str) -> Answer:
    return await person.ask("POST", "/v1/invitations/accept", {"token": token})


async def test_an_invitation_is_for_one_verified_address_once(crowd: Crowd) -> None:
    organization = (await crowd.stand.register()).id
    admin = await crowd.member(organization, "admin")
    grace = await crowd.person("Grace@Hopper.Example")
    other = await crowd.person("other@hopper.example")
    identifier, token = await invited(
        crowd, admin, organization, email="grace@hopper.example", role="finance"
    )
    [mail] = await crowd.stand.messages(organization, "invitations.mail_requested.v1")
    assert b"hopper" not in mail["value"] and identifier.encode() in mail["value"]
    refused = await accept(other, token)
    assert (refused.status, refused.code) == (403, "invitation_of_another")
    assert (await accept(await crowd.person(), token)).code == "invitation_of_another"
    wrong = await accept(grace, "inv_" + "A" * 43)
    assert (wrong.status, wrong.code) == (404, "invitation_not_found")
    member = await accept(grace, token)
    assert (member.status, member.json["role"], member.json["id"]) == (200, "finance", grace.id)
    again = await accept(grace, token)
    assert (again.status, again.code) == (410, "invitation_over")
    [row] = await crowd.stand.fetch("SELECT * FROM edge.invitations WHERE id = $1", identifier)
    assert (row["status"], row["sealed"]) == ("accepted", None)
    await crowd.stand.apply_permissions(organization)
    assert (await grace.ask("GET", path(organization))).status == 200
    _, token = await invited(crowd, admin, organization, email="grace@hopper.example", role="admin")
    assert (await accept(grace, token)).code == "member_already"


async def test_an_invitation_that_is_over_opens_nothing(crowd: Crowd) -> None:
    organization = (await crowd.stand.register()).id
    owner = await crowd.member(organization, "owner")
    admin = await crowd.member(organization, "admin")
    ada = await crowd.person("ada@lovelace.example")
    what: dict[str, Any] = {"email": "ada@lovelace.example", "role": "admin"}
    _, first = await invited(crowd, admin, organization, **what)
    identifier, second = await invited(crowd, admin, organization, **what)
    assert (await accept(ada, first)).code == "invitation_over"  # A newer one took its place.
    gone = await admin.ask("DELETE", path(organization, "invitations", identifier))
    assert gone.status == 204
    assert (await accept(ada, second)).code == "invitation_over"
    identifier, third = await invited(crowd, admin, organization, **what)
    await crowd.stand.fetch(
        "UPDATE edge.invitations SET expires_at = now() WHERE id = $1", identifier
    )
    assert (await accept(ada, third)).code == "invitation_over"
    listed = await owner.ask("GET", path(organization, "invitations?status=expired"))
    assert [one["id"] for one in listed.json["data"]] == [identifier]
    # Whoever was an admin then, and is none now, has made nobody an admin.
    _, fourth = await invited(crowd, admin, organization, **what)
    await owner.ask("DELETE", path(organization, "members", admin.id))
    assert (await accept(ada, fourth)).code == "invitation_over"


async def test_nobody_invites_above_the_own_rank_nor_without_end(
    crowd: Crowd, monkeypatch: pytest.MonkeyPatch
) -> None:
    organization = (await crowd.stand.register()).id
    admin = await crowd.member(organization, "admin")
    place = path(organization, "invitations")
    body = {"email": "a@b.example", "role": "owner"}
    assert (await admin.ask("POST", place, body)).code == "role_above_own"
    weak = await admin.ask_weakly("POST", place, body | {"role": "viewer"})
    assert weak.code == "step_up_needed"
    monkeypatch.setattr("edge.members.invitations.OPEN_MAX", 1)
    assert (await admin.ask("POST", place, body | {"role": "viewer"})).status == 201
    more = await admin.ask("POST", place, {"email": "c@d.example", "role": "viewer"})
    assert (more.status, more.code) == (409, "too_many_invitations")


async def test_somebody_who_comes_back_has_the_new_role_alone(crowd: Crowd) -> None:
    organization = (await crowd.stand.register()).id
    owner = await crowd.member(organization, "owner")
    ada = await crowd.person("ada@lovelace.example")
    await crowd.seat(organization, ada, "admin")
    await owner.ask("DELETE", path(organization, "members", ada.id))
    _, token = await invited(
        crowd, owner, organization, email="ada@lovelace.example", role="viewer"
    )
    assert (await accept(ada, token)).json["role"] == "viewer"
    await crowd.stand.apply_permissions(organization)
    assert (await manage(crowd, organization, ada)).code == "permission_denied"
    assert (await ada.ask("GET", path(organization))).status == 200


async def test_a_superuser_makes_an_owner_where_there_is_none(crowd: Crowd) -> None:
    organization = (await crowd.stand.register()).id
    boss = await crowd.staff("superuser")
    ada = await crowd.person("ada@lovelace.example")
    _, token = await invited(crowd, boss, organization, email="ada@lovelace.example", role="owner")
    assert (await accept(ada, token)).json["role"] == "owner"
