"""Projects over HTTP: begun, changed, ended for good, with news and what was spent."""

from typing import Any

import pytest

from edge.projects.decisions import TRANSITIONS
from ledger.entry import Request
from tests.edge.office import Office
from tests.edge.scribe import Scribe
from tests.ledger.making import name

pytestmark = pytest.mark.asyncio


def well(office: Office, **changes: Any) -> dict[str, Any]:
    return {
        "name": "A well",
        "fund": office.society.funds["EUR"],
        "budget_minor": 90_000,
        "starts_on": "2027-01-01",
        "impact": [{"name": "People with water", "unit": "people", "target": 400}],
    } | changes


def spent(office: Office, of: str, project: str, amount_minor: int, visibility: str) -> Request:
    common = {"currency": "EUR", "fund": office.society.funds["EUR"]}
    return Request(
        id=name("ent", of),
        organization=office.society.id,
        kind="expense",
        visibility=visibility,
        public_after=None,
        ref=None,
        subject=None,
        postings=[
            {"account": "Assets:Bank", "amount": str(-amount_minor), **common},
            {"account": "Expenses:Program:Wells", "amount": str(amount_minor), **common},
        ],
        details={"project": project},
        donor=None,
    )


async def test_a_project_shows_what_the_ledger_says_was_spent(office: Office) -> None:
    made = await office.post("projects", well(office))
    assert made.status == 201
    project = made.json
    assert (project["status"], project["spent_minor"], project["currency"]) == (
        "planning",
        0,
        "EUR",
    )
    assert project["impact"][0]["reached"] == 0
    entries = [
        spent(office, f"shown {project['id']}", project["id"], 700, "public_full"),
        spent(office, f"sealed {project['id']}", project["id"], 300, "internal_only"),
        spent(office, f"back {project['id']}", project["id"], -100, "internal_only"),
    ]
    await Scribe(office.society.stand).append(entries)
    shown = await office.get(made.headers["Location"])
    assert shown.json["spent_minor"] == 900
    listed = await office.everything(f"projects?fund={project['fund']}&status=planning")
    assert [one["spent_minor"] for one in listed] == [900]


async def test_a_project_moves_forward_and_an_ended_one_stays_ended(office: Office) -> None:
    path = (await office.post("projects", well(office))).headers["Location"]
    refused = await office.patch(path, {"status": "completed"}, "*")
    assert (refused.status, refused.code) == (409, "transition_not_allowed")
    assert (await office.patch(path, {"status": "active"}, "*")).status == 200
    ended = await office.patch(
        path, {"status": "completed", "ends_on": "2027-05-01", "impact": []}, "*"
    )
    assert (ended.json["status"], ended.json["impact"]) == ("completed", [])
    for status in ("planning", "active", "cancelled"):
        assert (await office.patch(path, {"status": status}, "*")).status == 409
    told = await office.told()
    assert [event for event, _ in told] == ["project.created", "project.updated", "project.updated"]
    assert set(TRANSITIONS) == {"planning", "active", "completed", "cancelled"}


async def test_news_are_told_once_and_listed_in_order(office: Office) -> None:
    path = (await office.post("projects", well(office))).headers["Location"]
    for number in range(3):
        news = {"title": f"News {number}", "text": "Water!\nAt last.", "dated": "2027-02-01"}
        first = await office.post(f"{path}/updates", news, key=f"news-{number}")
        again = await office.post(f"{path}/updates", news, key=f"news-{number}")
        assert first.status == again.status == 201 and first.json == again.json
    listed = await office.everything(f"{path}/updates")
    assert [one["title"] for one in listed] == ["News 0", "News 1", "News 2"]


async def test_funds_and_projects_of_others_are_none(office: Office) -> None:
    other = await office.society.stand.register()
    answer = await office.post("projects", well(office, fund=other.funds["EUR"]))
    assert (answer.status, answer.code) == (422, "fund_unknown")
    stranger = await office.society.key("projects:read", owner=other.id)
    path = (await office.post("projects", well(office))).headers["Location"]
    for end in ("", "/updates"):
        assert (await office.get(path + end, secret=stranger)).status == 404
    missing = "projects/proj_" + "0" * 26
    for end in ("", "/updates"):
        answer = await office.get(missing + end)
        assert (answer.status, answer.code) == (404, "project_not_found")


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"ends_on": "2026-12-31"}, "ends_on"),
        ({"starts_on": "2027-02-30"}, "starts_on"),
        ({"starts_on": "20270201"}, "starts_on"),
        ({"status": "completed"}, "status"),
        ({"impact": [{"name": "x", "unit": "y", "reached": -1}]}, "impact.0.reached"),
        ({"spent_minor": 5}, "spent_minor"),
    ],
)
async def test_what_is_no_project_is_refused_by_field(
    office: Office, change: dict[str, Any], param: str
) -> None:
    answer = await office.post("projects", well(office, **change))
    assert (answer.status, answer.code, answer.json["param"]) == (422, "invalid_body", param)
