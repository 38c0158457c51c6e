"""Every change of an organization's affairs leaves a row of who made it, in its transaction."""

import pytest

from tests.edge.office import Office
from tests.edge.test_bookings import book, simple

pytestmark = pytest.mark.asyncio


async def test_each_write_leaves_a_row_with_what_was_and_is(office: Office) -> None:
    fund = (await office.post("funds", {"name": "Wells", "currency": "EUR"})).json["id"]
    await office.patch(f"funds/{fund}", {"name": "Deep wells"}, "*")
    project = (await office.post("projects", {"name": "A well", "fund": fund})).json["id"]
    await office.patch(f"projects/{project}", {"status": "active"}, "*")
    news = {"title": "Water", "text": "At last.", "dated": "2027-02-01"}
    told = (await office.post(f"projects/{project}/updates", news)).json["id"]
    run = {"slug": "run", "name": "Run", "currency": "EUR"}
    campaign = (await office.post("campaigns", run)).json["id"]
    await office.patch(f"campaigns/{campaign}", {"status": "active"}, "*")
    booking = (await book(office, simple(office, "grant")))["id"]
    rows = await office.society.stand.fetch(
        "SELECT action, resource, before IS NOT NULL AS had, after IS NOT NULL AS has"
        " FROM audit.pending WHERE organization = $1 AND outcome = 'done' ORDER BY position",
        office.society.id,
    )
    assert [tuple(row) for row in rows] == [
        ("createFund", fund, False, True),
        ("changeFund", fund, True, True),
        ("createProject", project, False, True),
        ("changeProject", project, True, True),
        ("createProjectUpdate", told, False, True),
        ("createCampaign", campaign, False, True),
        ("changeCampaign", campaign, True, True),
        ("createBooking", booking, False, True),
    ]
