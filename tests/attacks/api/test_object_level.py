"""OWASP API1: an id of somebody else's object opens nothing, and does not tell that it exists."""

import pytest

from edge.organizations.relationships import SCOPES
from tests.attacks.api.world import World, guarded, made_up, names_in

#: Everybody has it: whoever may see no more is shown what the public is.
PUBLIC_LEDGER = "view_public_ledger"
#: Routes that no key is let into are in the table of authorization.
OBJECTS = {
    identifier: operation
    for identifier, (operation, access) in guarded().items()
    if names_in(operation)
    and access.on != "caller"
    and access.permission != PUBLIC_LEDGER
    and access.scope in SCOPES
    and not access.is_for_persons
}


@pytest.mark.parametrize("identifier", OBJECTS)
async def test_an_id_of_another_organization_is_answered_like_one_of_nobody(
    world: World, identifier: str
) -> None:
    operation = OBJECTS[identifier]
    invented = made_up(operation)
    theirs = {name: world.a.owned.get(name, invented[name]) for name in invented}
    answers = []
    for parameters in (theirs, invented):
        answer = await world.ask(operation, parameters, world.b.secret)
        answers.append((answer.status, answer.code, answer.json["detail"]))
    # A body that is read first is refused alike for both; it is empty here.
    assert answers[0] == answers[1]
    assert answers[0][0] in (404, 422), answers[0]


async def test_members_routes_show_strangers_what_the_public_is_shown(world: World) -> None:
    entry = world.a.owned["entry"]
    public = f"/v1/public/organizations/{world.a.slug}/ledger/entries/{entry}/openings"
    shown = (await world.edge.get(public)).json["openings"]
    member = f"/v1/organizations/{world.a.slug}/ledger"
    theirs = await world.edge.get(f"{member}/entries/{entry}", world.b.secret)
    assert theirs.json["openings"] == shown
    page = await world.edge.get(member, world.b.secret)
    [listed] = [one for one in page.json["data"] if one["id"] == entry]
    assert listed["openings"] == shown
    assert "donor" not in shown


async def test_an_own_path_does_not_lead_to_the_objects_of_others(world: World) -> None:
    for path in (
        f"/v1/organizations/{world.b.slug}/ledger/entries/{world.a.owned['entry']}",
        f"/v1/public/organizations/{world.b.slug}/ledger/entries/{world.a.owned['entry']}",
        f"/v1/public/organizations/{world.b.slug}/ledger/entries/{world.a.owned['entry']}/openings",
    ):
        assert (await world.edge.get(path, world.b.secret)).status == 404
    own = f"/v1/organizations/{world.a.slug}/ledger/entries/{world.a.owned['entry']}"
    assert (await world.edge.get(own, world.a.secret)).status == 200


async def test_an_organization_is_not_chosen_by_a_header_or_a_query(world: World) -> None:
    path = f"/v1/donations/{world.a.owned['donation']}"
    for name in (world.a.id, world.a.slug):
        answer = await world.edge.get(path, world.b.secret, Amply_Organization=name)
        assert answer.status == 404
        answer = await world.edge.get(f"{path}?organization={name}", world.b.secret)
        assert answer.status in (404, 422)
    assert (await world.edge.get(path, world.a.secret)).status == 200
