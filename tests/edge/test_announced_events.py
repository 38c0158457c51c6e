"""Whatever may happen to an organization is announced in the transaction that makes it happen."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

import pytest

from contracts.events import EVENT_TYPES, ResourceChanged
from deploy.administering import Desk
from edge.database.pool import Database
from edge.organizations.service import create_api_key, open_fund
from tests.edge.crowd import Crowd, Person
from tests.edge.stand import ORIGIN
from tests.edge.test_applications import application
from tests.edge.test_collectors import collector
from tests.edge.test_invitations import accept, invited
from tests.workers.events.facts import OF_FACTS

RUN: Final = {"slug": "run", "name": "Run", "currency": "EUR", "status": "active"}
KEY: Final = {"name": "Ada's till", "scopes": ["donations:read"]}
MAIL: Final = "ada@example.org"
#: What would tell of a person, or open something.
SECRETS: Final = ("Ada", MAIL, "Corner Shop", "ampk_", "inv_token", "email", "hint", "a reason")


@dataclass
class Affair:
    """An organization, its owner and one of the platform's people."""

    crowd: Crowd
    organization: str
    owner: Person

    async def does(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        place = path if path.startswith("/v1/") else f"/v1/organizations/{self.organization}{path}"
        answer = await self.owner.ask(method, place, body, **headers)
        assert answer.status < 300, (path, answer.body)
        return answer.json if answer.body else None

    async def changes(self, path: str, change: dict[str, Any]) -> str:
        return str((await self.does("PATCH", path, change, If_Match="*"))["id"])

    async def staff_does(self, action: str) -> str:
        staff = await self.crowd.staff("operations")
        place = f"/v1/staff/organizations/{self.organization}/{action}"
        answer = await staff.ask("POST", place, {"reason": "a reason"})
        assert answer.status == 200, answer.body
        return self.organization

    async def told(self) -> list[ResourceChanged]:
        rows = await self.crowd.stand.messages(self.organization, "resources.changed.v1")
        return [ResourceChanged.model_validate_json(row["value"]) for row in rows]


Scenario = Callable[[Affair], Awaitable[str]]


async def apply(affair: Affair) -> str:
    answer = await affair.owner.ask("POST", "/v1/organizations", application())
    affair.organization = answer.json["id"]
    await affair.crowd.stand.apply_permissions(affair.organization)
    return affair.organization


async def approve(affair: Affair) -> str:
    await apply(affair)
    answer = await (await affair.crowd.staff("operations")).ask(
        "POST", f"/v1/staff/organizations/{affair.organization}/approve", {}
    )
    assert answer.status == 200, answer.body
    return affair.organization


async def rename(affair: Affair) -> str:
    profile = {"name": "New", "kind": "association", "country": "DE"}
    return await affair.changes("", profile | {"sdgs": [1], "default_currency": "EUR"})


async def make_key(affair: Affair) -> str:
    return str((await affair.does("POST", "/api-keys", KEY))["id"])


async def rotate_key(affair: Affair) -> str:
    key = await make_key(affair)
    await affair.does("POST", f"/api-keys/{key}/rotate", {})
    return key


async def revoke_key(affair: Affair) -> str:
    key = await make_key(affair)
    await affair.does("DELETE", f"/api-keys/{key}")
    return key


async def allow(affair: Affair) -> str:
    _, identifier, _ = await collector(affair.crowd)
    await affair.does("PUT", f"/collectors/{identifier}")
    return identifier


async def revoke_collector(affair: Affair) -> str:
    identifier = await allow(affair)
    await affair.does("DELETE", f"/collectors/{identifier}")
    return identifier


async def rename_collector(affair: Affair) -> str:
    manager, identifier, _ = await collector(affair.crowd)
    await affair.does("PUT", f"/collectors/{identifier}")
    place = f"/v1/collectors/{identifier}"
    answer = await manager.ask("PATCH", place, {"name": "Ada's shop"}, If_Match="*")
    assert answer.status == 200, answer.body
    return identifier


async def invite(affair: Affair) -> str:
    identifier, _ = await invited(
        affair.crowd, affair.owner, affair.organization, email=MAIL, role="viewer"
    )
    return identifier


async def revoke_invitation(affair: Affair) -> str:
    identifier = await invite(affair)
    await affair.does("DELETE", f"/invitations/{identifier}")
    return identifier


async def accept_invitation(affair: Affair) -> str:
    identifier, token = await invited(
        affair.crowd, affair.owner, affair.organization, email=MAIL, role="viewer"
    )
    assert (await accept(await affair.crowd.person(MAIL), token)).status == 200
    return identifier


async def join(affair: Affair) -> str:
    await accept_invitation(affair)
    [row] = await affair.crowd.stand.fetch(
        "SELECT person FROM edge.members WHERE organization = $1 AND role = 'viewer'",
        affair.organization,
    )
    return str(row["person"])


async def promote(affair: Affair) -> str:
    return await affair.changes(f"/members/{await join(affair)}", {"role": "finance"})


async def dismiss(affair: Affair) -> str:
    person = await join(affair)
    await affair.does("DELETE", f"/members/{person}")
    return person


async def suspend(affair: Affair) -> str:
    return await affair.staff_does("suspend")


def made(path: str, body: dict[str, Any], change: dict[str, Any] | None = None) -> Scenario:
    async def scenario(affair: Affair) -> str:
        identifier = str((await affair.does("POST", path, body))["id"])
        if change is not None:
            await affair.changes(f"{path}/{identifier}", change)
        return identifier

    return scenario


async def plan(affair: Affair) -> str:
    fund = (await affair.does("POST", "/funds", FUND))["id"]
    return str((await affair.does("POST", "/projects", {"name": "A well", "fund": fund}))["id"])


async def begin(affair: Affair) -> str:
    return await affair.changes(f"/projects/{await plan(affair)}", {"status": "active"})


FUND: Final = {"name": "Wells", "currency": "EUR"}
#: What makes each event that the edge announces; it ends with the subject.
SCENARIOS: Final[dict[str, Scenario]] = {
    "api_key.created": make_key,
    "api_key.revoked": revoke_key,
    "api_key.rotated": rotate_key,
    "campaign.cancelled": made("/campaigns", RUN, {"status": "cancelled"}),
    "campaign.completed": made("/campaigns", RUN, {"status": "completed"}),
    "campaign.created": made("/campaigns", RUN),
    "campaign.updated": made("/campaigns", RUN, {"name": "Walk"}),
    "collector.added": allow,
    "collector.removed": revoke_collector,
    "collector.updated": rename_collector,
    "fund.closed": made("/funds", FUND, {"status": "closed"}),
    "fund.created": made("/funds", FUND),
    "fund.updated": made("/funds", FUND, {"name": "Deep wells"}),
    "invitation.accepted": accept_invitation,
    "invitation.created": invite,
    "invitation.revoked": revoke_invitation,
    "member.added": join,
    "member.removed": dismiss,
    "member.updated": promote,
    "organization.created": apply,
    "organization.suspended": suspend,
    "organization.updated": rename,
    "organization.verified": approve,
    "project.created": plan,
    "project.updated": begin,
}


def test_each_documented_type_is_made_of_a_fact_or_announced() -> None:
    assert set(SCENARIOS) | set(OF_FACTS) == set(EVENT_TYPES)
    assert not set(SCENARIOS) & set(OF_FACTS)


@pytest.fixture
async def affair(crowd: Crowd) -> Affair:
    await crowd.platform()
    organization = (await crowd.stand.register()).id
    return Affair(crowd, organization, await crowd.member(organization, "owner"))


@pytest.mark.parametrize("event", SCENARIOS)
async def test_what_happens_is_announced_once_and_tells_nothing_of_people(
    affair: Affair, event: str
) -> None:
    before = len(await affair.told())
    organization = affair.organization
    subject = await SCENARIOS[event](affair)
    told = await affair.told()
    new = told[before:] if affair.organization == organization else told
    [one] = [each for each in new if each.event == event and each.subject == subject]
    assert one.object["id"] == subject
    assert one.object.get("organization", affair.organization) == affair.organization
    for each in told:
        text = each.model_dump_json()
        assert not [word for word in SECRETS if word in text], text


async def test_a_replaced_invitation_and_a_closed_collector_are_told_too(affair: Affair) -> None:
    first = await invite(affair)
    second = await invite(affair)
    manager, identifier, _ = await collector(affair.crowd)
    await affair.does("PUT", f"/collectors/{identifier}")
    assert (await manager.ask("DELETE", f"/v1/collectors/{identifier}")).status == 204
    assert (await manager.ask("DELETE", f"/v1/collectors/{identifier}")).status == 204
    told = [(each.event, each.subject) for each in await affair.told()][-5:]
    assert told == [
        ("invitation.created", first),
        ("invitation.revoked", first),
        ("invitation.created", second),
        ("collector.added", identifier),
        ("collector.removed", identifier),
    ]


async def test_what_operators_do_is_announced_as_well(affair: Affair) -> None:
    stand, person = affair.crowd.stand, await affair.crowd.person()
    registered = await stand.register(currencies=("EUR", "USD"))
    affair.organization = registered.id
    assert sorted(each.event for each in await affair.told()) == [
        *("api_key.created", "fund.created", "fund.created", "organization.created"),
    ]
    async with stand.edge_connection() as connection:
        fund = await open_fund(connection, registered.id, "CHF")
        key = await create_api_key(
            connection,
            master_key=stand.settings.master_key,
            environment="test",
            organization=registered.id,
            name="another",
        )
    database = Database(stand.settings.postgres)
    await database.open()
    try:
        desk = Desk(database, stand.settings.master_key, "test", ORIGIN)
        await desk.add_member(registered.id, person.id, "owner", None)
        await desk.add_member(registered.id, person.id, "owner", None)
        await desk.revoke_key(key.id)
    finally:
        await database.close()
    assert [(each.event, each.subject) for each in await affair.told()][4:] == [
        ("fund.created", fund),
        ("api_key.created", key.id),
        ("member.added", person.id),
        ("member.updated", person.id),
        ("api_key.revoked", key.id),
    ]
