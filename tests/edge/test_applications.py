"""Organizations apply, are reviewed, suspended and closed; what anybody may see of them."""

import itertools
import secrets
from typing import Any, get_args

import pytest

from contracts.entries import EntryRequested
from edge.errors import ProblemError
from edge.organizations import decisions
from edge.organizations.decisions import TRANSITIONS, Action, State
from edge.organizations.models import Review, Status
from tests.edge.crowd import Crowd, Person
from tests.edge.stand import Answer, gift

APPLICATION = {
    "name": "Hafenlichter",
    "kind": "association",
    "description": "We light harbours.\nAll of them.",
    "website": "https://lights.example",
    "country": "DE",
    "sdgs": [14, 7],
    "default_currency": "EUR",
}


def application(**changes: Any) -> dict[str, Any]:
    return APPLICATION | {"slug": f"s{secrets.token_hex(6)}"} | changes


async def applied(crowd: Crowd, person: Person, **changes: Any) -> Answer:
    answer = await person.ask("POST", "/v1/organizations", application(**changes))
    assert answer.status == 201, answer.body
    await crowd.stand.apply_permissions(answer.json["id"])
    return answer


def test_of_all_states_and_actions_these_follow_and_no_others() -> None:
    states = [State(*one) for one in itertools.product(get_args(Status), get_args(Review))]
    allowed = {
        ("pending", "requested", "approve"): ("verified", "approved"),
        ("pending", "requested", "reject"): ("closed", "rejected"),
        ("pending", "requested", "request_information"): ("pending", "information_requested"),
        ("pending", "requested", "withdraw"): ("closed", "withdrawn"),
        ("pending", "information_requested", "approve"): ("verified", "approved"),
        ("pending", "information_requested", "reject"): ("closed", "rejected"),
        ("pending", "information_requested", "request_review"): ("pending", "requested"),
        ("pending", "information_requested", "withdraw"): ("closed", "withdrawn"),
        ("verified", "approved", "suspend"): ("suspended", "approved"),
        ("verified", "approved", "close"): ("closed", "approved"),
        ("suspended", "approved", "reinstate"): ("verified", "approved"),
        ("suspended", "approved", "close"): ("closed", "approved"),
    }
    for state, action in itertools.product(states, get_args(Action)):
        wanted = allowed.get((state.status, state.review, action))
        if wanted is None:
            with pytest.raises(ProblemError) as raised:
                decisions.after(state, action)
            assert raised.value.code == "organization_state"
        else:
            assert decisions.after(state, action) == State(*wanted)  # type: ignore[arg-type] # literals of the table above
    assert len(TRANSITIONS) == len(allowed)


async def test_whoever_applies_owns_it_and_staff_verifies_it(crowd: Crowd) -> None:
    ada, staff = await crowd.person(), await crowd.staff("operations")
    answer = await applied(crowd, ada)
    organization = answer.json["id"]
    assert answer.headers["Location"] == f"/v1/organizations/{organization}"
    assert (answer.json["status"], answer.json["review"]) == ("pending", "requested")
    assert answer.json["sdgs"] == [7, 14]
    queue = await staff.ask("GET", "/v1/staff/organizations?status=pending&review=requested")
    assert organization in [one["id"] for one in queue.json["data"]]
    assert await crowd.stand.messages(organization, "entries.requested.v1") == []
    slug = answer.json["slug"]
    public = await crowd.edge.get("/v1/public/organizations?search=Hafen")
    assert slug not in [one["slug"] for one in public.json["data"]]
    approved = await staff.ask(
        "POST", f"/v1/staff/organizations/{slug}/approve", {"verification_level": "enhanced"}
    )
    assert (approved.status, approved.json["status"]) == (200, "verified")
    assert approved.json["verification_level"] == "enhanced"
    assert approved.json["accepts_donations"] is True
    [genesis] = await crowd.stand.messages(organization, "entries.requested.v1")
    assert EntryRequested.model_validate_json(genesis["value"]).kind == "genesis"
    funds = await crowd.stand.fetch(
        "SELECT * FROM edge.funds WHERE organization = $1", organization
    )
    assert [(fund["currency"], fund["is_default"]) for fund in funds] == [("EUR", True)]
    public = await crowd.edge.get("/v1/public/organizations?search=afenl&country=DE&sdg=14")
    [shown] = [one for one in public.json["data"] if one["slug"] == slug]
    assert not {"status", "reason", "review", "created_at"} & set(shown)
    # Again, by an answer that was lost: nothing more happens.
    again = await staff.ask("POST", f"/v1/staff/organizations/{slug}/approve", {})
    assert again.status == 200
    assert len(await crowd.stand.messages(organization, "entries.requested.v1")) == 1
    rejected = await staff.ask("POST", f"/v1/staff/organizations/{slug}/reject", {"reason": "no"})
    assert (rejected.status, rejected.code) == (409, "organization_state")


async def test_staff_asks_for_more_and_the_organization_answers(crowd: Crowd) -> None:
    ada, staff = await crowd.person(), await crowd.staff("operations")
    answer = await applied(crowd, ada)
    one = f"/v1/organizations/{answer.json['id']}"
    asked = await staff.ask(
        "POST",
        f"/v1/staff/organizations/{answer.json['id']}/request-information",
        {"reason": "Which harbours?"},
    )
    assert asked.json["review"] == "information_requested"
    seen = await ada.ask("GET", one)
    assert seen.json["reason"] == "Which harbours?"
    changed = await ada.ask("PATCH", one, {"description": "Kiel."}, If_Match=seen.headers["ETag"])
    assert (changed.status, changed.json["description"]) == (200, "Kiel.")
    sent = await ada.ask("POST", f"{one}/request-review")
    assert (sent.status, sent.json["review"]) == (200, "requested")
    gone = await ada.ask("POST", f"{one}/withdraw")
    assert (gone.json["status"], gone.json["review"]) == ("closed", "withdrawn")


async def test_a_profile_is_changed_by_merge_patch_of_the_version_seen(crowd: Crowd) -> None:
    ada = await crowd.person()
    answer = await applied(crowd, ada)
    one = f"/v1/organizations/{answer.json['slug']}"
    tag = (await ada.ask("GET", one)).headers["ETag"]
    assert (await ada.ask("GET", one, If_None_Match=tag)).status == 304
    changed = await ada.ask(
        "PATCH",
        one,
        {"website": None, "sdgs": [1]},
        If_Match=tag,
        Content_Type="application/merge-patch+json",
    )
    assert (changed.json["website"], changed.json["sdgs"]) == (None, [1])
    assert changed.json["name"] == "Hafenlichter"
    for body, headers, code, status in (
        ({"name": "x"}, {}, "precondition_required", 428),
        ({"name": "x"}, {"If_Match": tag}, "precondition_failed", 412),
        ({"status": "verified"}, {"If_Match": "*"}, "invalid_body", 422),
        ({"slug": "other"}, {"If_Match": "*"}, "invalid_body", 422),
        ({"name": None}, {"If_Match": "*"}, "invalid_body", 422),
        ({"website": "javascript:alert(1)"}, {"If_Match": "*"}, "invalid_body", 422),
        ({"sdgs": [18]}, {"If_Match": "*"}, "invalid_body", 422),
        ({"default_currency": "XTS"}, {"If_Match": "*"}, "invalid_body", 422),
    ):
        refused = await ada.ask("PATCH", one, body, **headers)
        assert (refused.status, refused.code) == (status, code), body


async def test_a_suspension_freezes_money_before_spicedb_is_told_and_is_undone(
    crowd: Crowd,
) -> None:
    stand, staff = crowd.stand, await crowd.staff("operations")
    registered = await stand.register(
        scopes=("donations:read", "donations:write", "payouts:write", "organizations:read")
    )
    secret = registered.key.secret
    assert (await crowd.edge.donate(gift(registered.id), secret)).status == 202
    path = f"/v1/staff/organizations/{registered.id}"
    suspended = await staff.ask("POST", f"{path}/suspend", {"reason": "Whose is the account?"})
    assert suspended.json["status"] == "suspended"
    refused = await crowd.edge.donate(gift(registered.id), secret)
    assert (refused.status, refused.code) == (409, "donations_not_accepted")

    async def settings() -> Answer:
        return await crowd.ask(
            secret,
            "PATCH",
            f"/v1/organizations/{registered.id}/payout-settings",
            {"minimum_minor": 1},
        )

    assert (await settings()).status == 403
    [frozen] = await stand.fetch(
        "SELECT is_frozen FROM read.accounts WHERE organization = $1", registered.id
    )
    assert frozen["is_frozen"]
    [payouts] = await stand.fetch(
        "SELECT under_review FROM read.payout_settings WHERE organization = $1", registered.id
    )
    assert payouts["under_review"]
    await stand.apply_permissions(registered.id)
    undone = await staff.ask("POST", f"{path}/reinstate", {"reason": "It is theirs."})
    assert (undone.json["status"], undone.json["suspended_at"]) == ("verified", None)
    await stand.apply_permissions(registered.id)
    assert (await crowd.edge.donate(gift(registered.id), secret)).status == 202
    assert (await settings()).status == 200
    closed = await staff.ask("POST", f"{path}/close", {"reason": "They asked for it."})
    assert closed.json["status"] == "closed"
    assert (await crowd.edge.donate(gift(registered.id), secret)).status == 409
    seen = await crowd.ask(secret, "GET", f"/v1/organizations/{registered.id}")
    assert (seen.status, seen.json["status"]) == (200, "closed")


async def test_who_is_not_staff_reviews_nothing(crowd: Crowd) -> None:
    ada, support = await crowd.person(), await crowd.staff("support")
    answer = await applied(crowd, ada)
    path = f"/v1/staff/organizations/{answer.json['id']}/approve"
    assert (await ada.ask("POST", path, {})).status == 403
    assert (await ada.ask("GET", "/v1/staff/organizations")).status == 403
    assert (await support.ask("GET", "/v1/staff/organizations")).status == 200
    assert (await support.ask("POST", path, {})).code == "permission_denied"
    operations = await crowd.staff("operations")
    weak = await operations.ask_weakly("POST", path, {})
    assert (weak.status, weak.code) == (401, "step_up_needed")
    registered = await crowd.stand.register(scopes=("organizations:write",))
    by_key = await crowd.ask(registered.key.secret, "POST", "/v1/organizations", application())
    assert (by_key.status, by_key.code) == (403, "permission_denied")


async def test_an_application_is_made_once_and_nobody_fills_the_queue(crowd: Crowd) -> None:
    ada = await crowd.person()
    body = application()
    first = await ada.ask("POST", "/v1/organizations", body, Idempotency_Key="k")
    again = await ada.ask("POST", "/v1/organizations", body, Idempotency_Key="k")
    assert (again.status, again.json["id"]) == (201, first.json["id"])
    assert again.headers["Idempotent-Replayed"] == "true"
    other = await ada.ask("POST", "/v1/organizations", application(), Idempotency_Key="k")
    assert (other.status, other.code) == (422, "idempotency_key_reused")
    grace = await crowd.person()
    taken = await grace.ask("POST", "/v1/organizations", body, Idempotency_Key="k")
    assert (taken.status, taken.code) == (409, "slug_taken")
    for _ in range(4):
        assert (await ada.ask("POST", "/v1/organizations", application())).status == 201
    sixth = await ada.ask("POST", "/v1/organizations", application())
    assert (sixth.status, sixth.code) == (409, "too_many_applications")


async def test_everybody_lists_their_own_in_pages(crowd: Crowd) -> None:
    ada = await crowd.person()
    made = [(await applied(crowd, ada)).json["id"] for _ in range(3)]
    await applied(crowd, await crowd.person())
    first = await ada.ask("GET", "/v1/organizations?limit=2")
    cursor = first.json["next_cursor"]
    second = await ada.ask("GET", f"/v1/organizations?limit=2&cursor={cursor}")
    listed = [one["id"] for one in (*first.json["data"], *second.json["data"])]
    assert listed == made[::-1]
    assert not second.json["has_more"]
    registered = await crowd.stand.register(scopes=("organizations:read",))
    own = await crowd.ask(registered.key.secret, "GET", "/v1/organizations")
    assert [one["id"] for one in own.json["data"]] == [registered.id]
    stranger = await crowd.person()
    hidden = await stranger.ask("GET", f"/v1/organizations/{made[0]}")
    assert (hidden.status, hidden.code) == (404, "organization_not_found")


async def test_the_public_list_takes_wildcards_literally(crowd: Crowd) -> None:
    registered = await crowd.stand.register(name="100% Rescue_Boats")
    for search, found in (("100%25", True), ("Rescue_", True), ("%25%25", False), ("1_0", False)):
        answer = await crowd.edge.get(f"/v1/public/organizations?search={search}")
        ids = [one["id"] for one in answer.json["data"]]
        assert (registered.id in ids) is found, search
