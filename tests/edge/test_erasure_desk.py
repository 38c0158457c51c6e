"""Requests to forget donors that reach staff: they wait, are decided, and only then carried out."""

from pathlib import Path
from typing import Any

from tests.edge.crowd import Crowd
from tests.edge.stand import gift
from tests.edge.test_own_rights import retain

MAIL = "Ada@Example.org"


async def donor(crowd: Crowd) -> tuple[str, str]:
    """An organization, and a donor of it."""
    registered = await crowd.stand.register()
    assert (await crowd.edge.donate(gift(registered.id), registered.key.secret)).status == 202
    [row] = await crowd.stand.fetch(
        "SELECT id FROM edge.donor_profiles WHERE organization = $1", registered.id
    )
    return registered.id, str(row["id"])


async def is_known(crowd: Crowd, profile: str) -> bool:
    return bool(await crowd.stand.fetch("SELECT FROM edge.donor_profiles WHERE id = $1", profile))


async def asked(crowd: Crowd, body: dict[str, Any]) -> Any:
    support = await crowd.staff("support")
    answer = await support.ask("POST", "/v1/staff/erasures", body)
    assert answer.status == 202, answer.body
    return answer.json


async def test_a_request_waits_until_it_is_approved_and_is_then_carried_out(
    crowd: Crowd, tmp_path: Path
) -> None:
    organization, profile = await donor(crowd)
    boss = await crowd.staff("superuser")
    request = await asked(crowd, {"organization": organization, "email": MAIL})
    assert (request["donor"], request["status"]) == (profile, "waiting")
    again = await asked(crowd, {"organization": organization, "donor": profile})
    assert again["id"] == request["id"]
    place = f"/v1/staff/erasures/{request['id']}"
    await retain(crowd.stand, tmp_path)
    assert await is_known(crowd, profile)
    listed = (await boss.ask("GET", "/v1/staff/erasures?status=waiting&limit=100")).json["data"]
    assert request["id"] in {one["id"] for one in listed}
    assert MAIL.lower() not in str(listed).lower()
    weak = await boss.ask_weakly("POST", f"{place}/approve", {})
    assert (weak.status, weak.code) == (401, "step_up_needed")
    approved = await boss.ask("POST", f"{place}/approve", {})
    assert (approved.json["status"], approved.json["decided_by"]) == ("requested", boss.id)
    refused = await boss.ask("POST", f"{place}/refuse", {"reason": "not-the-donor"})
    assert (refused.status, refused.code) == (409, "erasure_decided")
    assert await retain(crowd.stand, tmp_path) >= 1
    assert not await is_known(crowd, profile)
    assert (await boss.ask("POST", f"{place}/approve", {})).json["status"] == "done"
    rows = await crowd.stand.fetch(
        "SELECT action FROM audit.pending WHERE organization = $1 AND resource = $2"
        " AND outcome = 'done' ORDER BY position",
        *(organization, profile),
    )
    assert [row["action"] for row in rows] == [
        *("requestErasure", "requestErasure", "approveErasure", "eraseDonor", "approveErasure"),
    ]


async def test_a_refused_request_is_not_carried_out_unless_its_organization_asks(
    crowd: Crowd, tmp_path: Path
) -> None:
    organization, profile = await donor(crowd)
    boss = await crowd.staff("superuser")
    request = await asked(crowd, {"organization": organization, "donor": profile})
    place = f"/v1/staff/erasures/{request['id']}"
    refused = await boss.ask("POST", f"{place}/refuse", {"reason": "not-the-donor"})
    assert (refused.json["status"], refused.json["reason"]) == ("refused", "not-the-donor")
    await retain(crowd.stand, tmp_path)
    assert await is_known(crowd, profile)
    admin = await crowd.member(organization, "admin")
    own = f"/v1/organizations/{organization}/donors/{profile}/erasure"
    shown = await admin.ask("GET", own)
    assert shown.json["status"] == "refused"
    approved = await admin.ask("POST", own)
    assert (approved.json["status"], approved.json["id"]) == ("requested", request["id"])
    await retain(crowd.stand, tmp_path)
    assert not await is_known(crowd, profile)


async def test_who_is_no_donor_there_is_told_from_nobody(crowd: Crowd) -> None:
    organization, profile = await donor(crowd)
    other = (await crowd.stand.register()).id
    boss = await crowd.staff("superuser")
    for body, status, code in (
        ({"organization": other, "donor": profile}, 404, "donor_not_found"),
        ({"organization": other, "email": MAIL}, 404, "donor_not_found"),
        ({"organization": "nobody", "email": MAIL}, 404, "organization_not_found"),
        ({"organization": organization}, 422, "invalid_body"),
        ({"organization": organization, "email": MAIL, "donor": profile}, 422, "invalid_body"),
    ):
        answer = await boss.ask("POST", "/v1/staff/erasures", body)
        assert (answer.status, answer.code) == (status, code), answer.body
    for identifier in ("era_" + "0" * 26, "nothing"):
        unknown = await boss.ask("POST", f"/v1/staff/erasures/{identifier}/approve", {})
        assert (unknown.status, unknown.code) == (404, "erasure_not_found")
