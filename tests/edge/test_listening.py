"""Events over HTTP: in order, by cursor, as they come; one's own only, and for 30 days."""

import asyncio
from typing import Any

import asyncpg
import pytest

from contracts.events import ResourceChanged
from edge.events.announcing import announce
from tests.databases import role_dsn
from tests.edge.crowd import Crowd
from tests.edge.society import Society
from tests.edge.stand import Served, Stand
from tests.workers.bench import START, new
from workers.events import store
from workers.events.decisions import Event

pytestmark = pytest.mark.asyncio


async def happen(stand: Stand, organization: str, *types: str, subject: str = "camp_1") -> None:
    """What the events worker does with facts."""
    connection = await asyncpg.connect(role_dsn(stand.superuser_dsn, "events"))
    try:
        async with connection.transaction():
            await connection.execute(
                "SELECT set_config('app.organizations', $1, true)", organization
            )
            events = [
                Event(new("evt"), organization, name, subject, START, {"id": subject})
                for name in types
            ]
            await store.append(connection, events)
    finally:
        await connection.close()


def types(page: Any) -> list[str]:
    return [event["type"] for event in page["data"]]


async def test_a_listener_reads_everything_once_and_in_order(
    society: Society, edge: Served
) -> None:
    key = await society.key("events:read")
    told = ["campaign.created", "donation.created", "donation.completed", "payout.paid"]
    await happen(society.stand, society.id, *told)
    read, cursor = [], ""
    for _ in range(4):
        more = f"&cursor={cursor}" if cursor else ""
        page = (await edge.get(f"/v1/events?limit=3{more}", key)).json
        read += types(page)
        cursor = page["next_cursor"]
    assert read == told and not page["has_more"]
    await happen(society.stand, society.id, "fund.created")
    page = (await edge.get(f"/v1/events?cursor={cursor}", key)).json
    [event] = page["data"]
    assert event == {
        "id": event["id"],
        "object": "event",
        "type": "fund.created",
        "time": "2027-03-01T12:00:00.000000Z",
        "organization": society.id,
        "subject": "camp_1",
        "data": {"object": {"id": "camp_1"}},
    }
    assert page["next_cursor"] != cursor


async def test_filters_choose_and_their_cursor_passes_over_the_rest(
    society: Society, edge: Served
) -> None:
    key = await society.key("events:read")
    await happen(society.stand, society.id, "donation.created", "donation.failed", "payout.paid")
    await happen(society.stand, society.id, "donation.created", subject="don_2")
    for query, expected in (
        ("type=donation.*", ["donation.created", "donation.failed", "donation.created"]),
        ("type=payout.paid,donation.failed", ["donation.failed", "payout.paid"]),
        ("subject=don_2", ["donation.created"]),
        ("type=payout.*&subject=don_2", []),
    ):
        page = (await edge.get(f"/v1/events?{query}", key)).json
        assert types(page) == expected
        again = (await edge.get(f"/v1/events?cursor={page['next_cursor']}", key)).json
        assert again["data"] == []
    newest = (await edge.get("/v1/events?cursor=latest", key)).json
    assert newest["data"] == [] and not newest["has_more"]


async def test_who_waits_is_answered_by_the_first_event_of_its_kind(
    society: Society, edge: Served
) -> None:
    key = await society.key("events:read")
    other = await society.stand.register()
    cursor = (await edge.get("/v1/events?cursor=latest", key)).json["next_cursor"]
    path = f"/v1/events?cursor={cursor}&type=payout.*&wait=30"
    waiting = asyncio.create_task(edge.get(path, key))
    await happen(society.stand, other.id, "payout.paid")
    await happen(society.stand, society.id, "donation.created")
    await happen(society.stand, society.id, "payout.failed")
    page = (await waiting).json
    assert types(page) == ["payout.failed"]


async def test_nobody_hears_of_others_and_a_scope_is_needed(society: Society, edge: Served) -> None:
    other = await society.stand.register()
    await happen(society.stand, other.id, "payout.paid")
    page = (await edge.get("/v1/events", await society.key("events:read"))).json
    assert page["data"] == []
    answer = await edge.get("/v1/events", await society.key("payouts:read"))
    assert (answer.status, answer.code) == (403, "scope_missing")
    assert (await edge.get("/v1/events")).status == 401


async def test_an_old_cursor_is_told_that_it_missed_something(
    society: Society, edge: Served
) -> None:
    key = await society.key("events:read")
    await happen(society.stand, society.id, "fund.created", "fund.updated", "fund.updated")
    page = (await edge.get("/v1/events?limit=1", key)).json
    await society.stand.fetch(
        "UPDATE events.events SET appended_at = now() - interval '31 days'"
        " WHERE organization = $1 AND position <= 2",
        society.id,
    )
    assert (await society.stand.fetch("SELECT events.tidy(30, 1000) AS n"))[0]["n"] == 2
    answer = await edge.get(f"/v1/events?cursor={page['next_cursor']}", key)
    assert (answer.status, answer.code) == (410, "cursor_expired")
    assert types((await edge.get("/v1/events", key)).json) == ["fund.updated"]


@pytest.mark.parametrize(
    "query",
    ["cursor=1", "cursor=pos_01", "cursor=pos_999", "type=gift.made", "type=donation.%25", "type=",
     "wait=31", "limit=0", "limit=101", "subject=%00", "page=2"],
)  # fmt: skip
async def test_what_is_no_question_is_refused(society: Society, edge: Served, query: str) -> None:
    answer = await edge.get(f"/v1/events?{query}", await society.key("events:read"))
    assert (answer.status, answer.code) == (422, "query_not_accepted")


async def test_a_change_at_the_edge_is_announced_as_one_of_the_types_there_are() -> None:
    record = announce("org_" + "0" * 26, "fund.created", "fund_1", {"id": "fund_1"}, START)
    assert ResourceChanged.model_validate_json(record.value).event == "fund.created"
    with pytest.raises(KeyError):
        announce("org_" + "0" * 26, "fund.painted", "fund_1", {}, START)


async def test_events_of_people_and_keys_are_seen_by_who_may_see_these(
    society: Society, crowd: Crowd
) -> None:
    told = ["member.added", "invitation.created", "api_key.created", "collector.added"]
    await happen(society.stand, society.id, *told, "fund.created")
    readers = [("events:read",), ("events:read", "members:read")]
    seen = {" ".join(scopes): await society.key(*scopes) for scopes in readers}
    seen |= {role: (await crowd.member(society.id, role)).token() for role in ("finance", "admin")}
    shown = {}
    for who, token in seen.items():
        headers = {"Authorization": f"Bearer {token}", "Amply-Organization": society.id}
        page = (await crowd.edge.ask("GET", "/v1/events", headers=headers)).json
        shown[who] = types(page)
        assert not page["has_more"]
        only = await crowd.edge.ask(
            "GET", "/v1/events?type=api_key.*,member.added", headers=headers
        )
        assert types(only.json) == [
            name for name in shown[who] if name in ("api_key.created", "member.added")
        ]
    assert shown == {
        "events:read": ["fund.created"],
        "events:read members:read": ["member.added", "fund.created"],
        "finance": ["member.added", "fund.created"],
        "admin": [*told, "fund.created"],
    }
