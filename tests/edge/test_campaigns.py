"""Campaigns over HTTP: whom donors may name, what everybody sees, and what "raised" means."""

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from contracts.donations import DonationRequested
from tests.edge.office import Office
from tests.edge.society import advance
from tests.edge.stand import until
from tests.workers.bench import new

pytestmark = pytest.mark.asyncio

RUN = {"slug": "spring-run", "name": "Spring run", "currency": "EUR", "goal_minor": 100_000}


async def gift(office: Office, **fields: Any) -> Any:
    body = {"organization": office.society.id, "amount_minor": 500, "currency": "EUR"}
    return await office.post("/v1/donations", body | {"payment_method": "pm_card_visa"} | fields)


async def takes_gifts(office: Office, campaign: str) -> bool:
    return bool((await gift(office, campaign=campaign)).status == 202)


async def takes_none(office: Office, campaign: str) -> bool:
    answer = await gift(office, campaign=campaign)
    return bool(answer.status == 422 and answer.code == "campaign_not_active")


async def test_a_campaign_is_made_once_and_its_short_name_is_its_organizations(
    office: Office,
) -> None:
    made = await office.post("campaigns", RUN, key="run")
    assert made.status == 201
    campaign = made.json
    assert (campaign["status"], campaign["kind"], campaign["sums"]) == (
        "draft",
        "organizational",
        [],
    )
    assert (await office.post("campaigns", RUN, key="run")).json == campaign
    taken = await office.post("campaigns", RUN)
    assert (taken.status, taken.code) == (409, "campaign_slug_taken")
    assert (await office.get("campaigns/spring-run")).json == campaign
    stand = office.society.stand
    other = await stand.register()
    elsewhere = await office.society.key("campaigns:write", owner=other.id)
    path = f"/v1/organizations/{other.id}/campaigns"
    assert (await office.post(path, RUN, secret=elsewhere)).status == 201


async def test_only_an_active_campaign_within_its_days_takes_gifts(office: Office) -> None:
    now = datetime.now(UTC)
    end = (now + timedelta(days=900)).isoformat()
    fund = (await office.post("funds", {"name": "Run", "currency": "EUR"})).json["id"]
    body = {**RUN, "fund": fund, "ends_at": end}
    made = await office.post("campaigns", body)
    campaign, path = made.json["id"], made.headers["Location"]
    assert (await gift(office, campaign=campaign)).code == "campaign_not_active"
    assert (await office.patch(path, {"status": "active"}, "*")).status == 200
    await until(lambda: takes_gifts(office, campaign), "the edge hears that it is active")
    accepted = await gift(office, campaign=campaign)
    assert accepted.status == 202
    assert (accepted.json["campaign"], accepted.json["fund"]) == (campaign, fund)
    shown = await office.get(f"/v1/donations/{accepted.json['id']}")
    assert shown.json["campaign"] == campaign
    rows = await office.society.stand.messages(office.society.id, "donations.requested.v1")
    assert DonationRequested.model_validate_json(rows[-1]["value"]).campaign == campaign
    chosen = office.society.funds["EUR"]
    assert (await gift(office, campaign=campaign, fund=chosen)).json["fund"] == chosen
    assert (await office.patch(path, {"status": "paused"}, "*")).status == 200
    await until(lambda: takes_none(office, campaign), "the edge hears that it is paused")
    assert (await office.patch(path, {"status": "active"}, "*")).status == 200
    await until(lambda: takes_gifts(office, campaign), "the edge hears that it goes on")
    await advance(office.society.stand, days=901)
    assert (await gift(office, campaign=campaign)).code == "campaign_not_active"
    other = await office.society.stand.register()
    answer = await gift(office, organization=other.id, campaign=campaign)
    assert answer.code in {"campaign_not_active", "permission_denied"}


async def test_a_campaign_that_is_over_stays_over(office: Office) -> None:
    path = (await office.post("campaigns", {**RUN, "status": "active"})).headers["Location"]
    done = await office.patch(path, {"status": "completed"}, "*")
    assert done.json["status"] == "completed"
    for status in ("draft", "active", "paused", "cancelled"):
        answer = await office.patch(path, {"status": status}, "*")
        assert (answer.status, answer.code) == (409, "transition_not_allowed")
    assert [event for event, _ in await office.told()] == [
        "campaign.created",
        "campaign.completed",
    ]


async def test_everybody_sees_those_that_take_gifts_and_no_drafts(office: Office) -> None:
    public = f"/v1/public/organizations/{office.society.slug}/campaigns"
    later = (datetime.now(UTC) + timedelta(days=5000)).isoformat()
    for slug, more in (
        ("draft", {}),
        ("open-one", {"status": "active"}),
        ("later", {"status": "active", "starts_at": later}),
        ("open-two", {"status": "active"}),
    ):
        assert (await office.post("campaigns", {**RUN, "slug": slug, **more})).status == 201
    listed = await office.everything(public, limit=1)
    assert [one["slug"] for one in listed] == ["open-one", "open-two"]
    assert not {"fund", "project", "sums"} & set(listed[0])
    shown = await office.edge.get(f"{public}/open-one")
    assert (shown.status, shown.json["name"]) == (200, "Spring run")
    assert shown.headers["Cache-Control"] == "public, max-age=15"
    for slug in ("draft", "nothing", "UPPER"):
        answer = await office.edge.get(f"{public}/{slug}")
        assert (answer.status, answer.code) == (404, "campaign_not_found")


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"slug": "-run"}, "slug"),
        ({"slug": "a b"}, "slug"),
        ({"status": "completed"}, "status"),
        ({"starts_at": "2027-01-02T00:00:00Z", "ends_at": "2027-01-02T01:00:00+01:00"}, "ends_at"),
        ({"ends_at": "2027-01-02"}, "ends_at"),
        ({"story": "a\x07b"}, "story"),
        ({"goal_minor": True}, "goal_minor"),
    ],
)
async def test_what_is_no_campaign_is_refused_by_field(
    office: Office, change: dict[str, Any], param: str
) -> None:
    answer = await office.post("campaigns", RUN | change)
    assert (answer.status, answer.code, answer.json["param"]) == (422, "invalid_body", param)


async def test_raised_is_what_was_meant_less_what_went_back(office: Office) -> None:
    """C-25: three gifts of 1.00 with covered fees, one refunded, one disputed, and a match."""
    made = await office.post("campaigns", {**RUN, "status": "active"})
    campaign, path = made.json["id"], made.headers["Location"]
    stand, organization = office.society.stand, office.society.id
    gifts = [new("don") for _ in range(4)]
    for donation, status in zip(gifts, ("recorded", "recorded", "captured", "failed"), strict=True):
        await stand.fetch(
            "INSERT INTO donations.donations (organization, id, status, amount_minor,"
            " charge_amount_minor, currency, fund, covers_fee, campaign, created_at, updated_at)"
            " VALUES ($1, $2, $3::text::donations.status, 100, 134, 'EUR', $4, true, $5, now(),"
            " now())",
            *(organization, donation, status, office.society.funds["EUR"], campaign),
        )

    async def sums() -> Any:
        [found] = (await office.get(path)).json["sums"]
        return found

    assert await sums() == {
        "currency": "EUR",
        "raised_minor": 300,
        "gifts": 3,
        "fee_cover_minor": 102,
        "matched_minor": 0,
    }
    refund = (
        "INSERT INTO donations.refunds (organization, id, donation, version, status, amount_minor,"
        " currency, created_at, updated_at) VALUES ($1, $2, $3, 1, $4, $5, 'EUR', now(), now())"
    )
    await stand.fetch(refund, organization, new("rfd"), gifts[0], "pending", 134)
    assert (await sums())["raised_minor"] == 300
    await stand.fetch(refund, organization, new("rfd"), gifts[0], "succeeded", 134)
    assert (await sums())["raised_minor"] == 200
    await stand.fetch(
        "INSERT INTO donations.disputes (organization, id, donation, version, status, reason,"
        " amount_minor, withdrawn_minor, currency, blocks_refunds, is_return, stripe_dispute,"
        " entries, created_at, updated_at) VALUES ($1, $2, $3, 1, 'needs_response', 'fraudulent',"
        " 134, 134, 'EUR', true, false, 'dp_1', '{}', now(), now())",
        *(organization, new("dsp"), gifts[1]),
    )
    assert (await sums())["raised_minor"] == 100
    await stand.fetch(
        "INSERT INTO ledger.transactions (entry_id, fund, type, organization, id, index, kind,"
        " currency, amount, recorded_at, campaign) VALUES ($1, $2, 'donation', $3, $4, 9,"
        " 'matching', 'EUR', 100, now(), $5)",
        *(new("ent"), office.society.funds["EUR"], organization, new("txn"), campaign),
    )
    found = await sums()
    assert (found["raised_minor"], found["matched_minor"]) == (100, 100)
    assert found["raised_minor"] + found["matched_minor"] == 200
    assert orjson.loads((await office.get("campaigns/spring-run")).body)["sums"] == [found]
