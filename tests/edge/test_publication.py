"""What comes is shown to everybody once an owner says so with a second factor, never before."""

from typing import Any

from contracts.donations import DonationRequested
from contracts.entries import EntryRequested
from tests.edge.crowd import Crowd, Person
from tests.edge.stand import gift, until
from tests.edge.test_applications import applied

FULL = {"visibility": "public_full"}


async def verified(crowd: Crowd) -> tuple[str, Person]:
    """An organization that applied and was approved, and its owner."""
    owner, staff = await crowd.person(), await crowd.staff("operations")
    answer = await applied(crowd, owner)
    organization = str(answer.json["id"])
    await staff.ask("POST", f"/v1/staff/organizations/{organization}/approve", {})
    await crowd.stand.apply_permissions(organization)
    await crowd.stand.connect(organization, f"acct_{organization[4:]}")
    return organization, owner


async def given(crowd: Crowd, organization: str, owner: Person) -> str:
    """How much the newest gift shows."""
    scopes = {"name": "till", "scopes": ["donations:write"]}
    key = await owner.ask("POST", f"/v1/organizations/{organization}/api-keys", scopes)
    await crowd.stand.apply_permissions(organization)

    async def is_taken() -> bool:  # On a busy machine SpiceDB may answer too late.
        return (await crowd.edge.donate(gift(organization), key.json["secret"])).status == 202

    await until(is_taken, "the gift is taken")
    message = (await crowd.stand.messages(organization, "donations.requested.v1"))[-1]
    return DonationRequested.model_validate_json(message["value"]).visibility


async def booked(crowd: Crowd, organization: str, owner: Person) -> str:
    """How much the newest booking shows."""
    funds = await owner.ask("GET", f"/v1/organizations/{organization}/funds")
    body = {
        "kind": "offline_donation",
        "fund": funds.json["data"][0]["id"],
        "currency": "EUR",
        "amount_minor": 500,
        "method": "cash",
    }

    async def is_made() -> bool:
        made = await owner.ask("POST", f"/v1/organizations/{organization}/bookings", body)
        return made.status == 202

    await until(is_made, "the booking is made")
    message = (await crowd.stand.messages(organization, "entries.requested.v1"))[-1]
    return EntryRequested.model_validate_json(message["value"]).visibility


async def test_an_organization_that_applied_shows_sums_until_an_owner_consents(
    crowd: Crowd,
) -> None:
    organization, owner = await verified(crowd)
    place = f"/v1/organizations/{organization}"
    assert (await owner.ask("GET", place)).json["visibility"] == "public_aggregated"
    assert await given(crowd, organization, owner) == "public_aggregated"
    assert await booked(crowd, organization, owner) == "public_aggregated"
    admin = await crowd.member(organization, "admin")
    refused = await admin.ask("PUT", f"{place}/visibility", FULL)
    assert (refused.status, refused.code) == (403, "permission_denied")
    weak = await owner.ask_weakly("PUT", f"{place}/visibility", FULL)
    assert (weak.status, weak.code) == (401, "step_up_needed")
    assert "insufficient_user_authentication" in weak.headers["WWW-Authenticate"]
    assert (await owner.ask("GET", place)).json["visibility"] == "public_aggregated"
    consented = await owner.ask("PUT", f"{place}/visibility", FULL)
    assert (consented.status, consented.json["visibility"]) == (200, "public_full")

    async def is_shown() -> bool:
        shown = [await show(crowd, organization, owner) for show in (given, booked)]
        return shown == ["public_full", "public_full"]

    await until(is_shown, "the edge heard of it")
    # Less is an admin's affair, and everything again an owner's.
    narrower = await admin.ask("PUT", f"{place}/visibility", {"visibility": "internal_only"})
    assert (narrower.status, narrower.json["visibility"]) == (200, "internal_only")
    assert (await admin.ask("PUT", f"{place}/visibility", FULL)).status == 403
    wider = await admin.ask("PUT", f"{place}/visibility", {"visibility": "public_aggregated"})
    assert wider.status == 200


async def test_a_fund_shows_everything_by_an_owners_consent_alone(crowd: Crowd) -> None:
    organization, owner = await verified(crowd)
    place = f"/v1/organizations/{organization}/funds"
    opening: dict[str, Any] = {"name": "Wells", "currency": "EUR", **FULL}
    admin = await crowd.member(organization, "admin")
    assert (await admin.ask("POST", place, opening)).code == "permission_denied"
    weak = await owner.ask_weakly("POST", place, opening)
    assert (weak.status, weak.code) == (401, "step_up_needed")
    assert "insufficient_user_authentication" in weak.headers["WWW-Authenticate"]
    # To show no more than is shown takes no second factor.
    plain = await owner.ask_weakly("POST", place, {"name": "Roof", "currency": "EUR"})
    assert (plain.status, plain.json["visibility"]) == (201, None)
    one = f"{place}/{plain.json['id']}"
    for person, asks, wanted in (
        (admin, admin.ask, (403, "permission_denied")),
        (owner, owner.ask_weakly, (401, "step_up_needed")),
    ):
        answer = await asks("PATCH", one, FULL, If_Match="*")
        assert (answer.status, answer.code) == wanted, person.id
    shown = await owner.ask("PATCH", one, FULL, If_Match="*")
    assert (shown.status, shown.json["visibility"]) == (200, "public_full")


async def test_a_closed_organization_changes_nothing_of_it(crowd: Crowd) -> None:
    owner = await crowd.person()
    answer = await applied(crowd, owner)
    place = f"/v1/organizations/{answer.json['id']}"
    assert (await owner.ask("POST", f"{place}/withdraw")).status == 200
    refused = await owner.ask("PUT", f"{place}/visibility", FULL)
    assert (refused.status, refused.code) == (409, "organization_state")
