"""For how long answers may be kept, and what public sums tell."""

from datetime import timedelta

import pytest

from contracts.donations import DonationRequested
from edge.times import spell_time
from tests.edge.scribe import Scribe
from tests.edge.society import OPENED, Society, advance, business_now
from tests.edge.stand import Served, Stand, gift
from tests.ledger.making import name, visibility_change

pytestmark = pytest.mark.asyncio


async def test_nothing_is_kept_past_the_next_opening(
    stand: Stand, edge: Served, society: Society
) -> None:
    now = await business_now(stand)
    soon, later = now + timedelta(seconds=45), now + timedelta(days=500)
    await Scribe(stand).append(
        [
            society.gift(of, visibility="delayed_public", public_after=spell_time(day))
            for of, day in (("soon", soon), ("later", later))
        ]
    )

    async def caching(path: str, secret: str | None = None) -> str:
        return str((await edge.get(path, secret)).headers["Cache-Control"])

    def age_s(text: str) -> int:
        return int(text.removeprefix("public, max-age="))

    entries = f"{society.public}/entries"
    assert age_s(await caching(f"{entries}/{name('ent', 'soon')}/openings")) <= 45
    assert age_s(await caching(f"{entries}/{name('ent', 'later')}/openings")) == 60
    assert age_s(await caching(society.public)) <= 5
    entry = await edge.get(f"{entries}/{name('ent', 'soon')}")
    assert entry.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert "openings" not in entry.json and "visibility" not in entry.json
    before = await edge.get(f"{entries}/{name('ent', 'soon')}/openings")
    await advance(stand, seconds=43)
    # The page is bounded too, by less than it would be kept otherwise.
    assert age_s(await caching(society.public)) <= 2
    await advance(stand, seconds=2)
    after = await edge.get(
        f"{entries}/{name('ent', 'soon')}/openings", If_None_Match=before.headers["ETag"]
    )
    assert (after.status, sorted(after.json["openings"])) == (200, OPENED)
    again = await edge.get(f"{entries}/{name('ent', 'soon')}", If_None_Match=entry.headers["ETag"])
    assert again.status == 304
    secret = await society.key("ledger:read")
    answer = await edge.get(society.member, secret)
    assert answer.headers["Cache-Control"] == "private, no-cache"
    assert answer.headers["Vary"] == "Authorization"


async def test_sums_tell_no_sealed_gift(stand: Stand, edge: Served, society: Society) -> None:
    base = f"/v1/public/organizations/{society.slug}"
    # A day that is never settled: the writer has stated no month of this log yet.
    scribe = Scribe(stand)
    sealed = {"visibility": "public_aggregated"}
    await scribe.append([society.gift("shown", 500), society.gift("in 1", 11, **sealed)])
    await scribe.append([society.gift("in 2", 13, **sealed)])
    await scribe.append([society.gift("never", 17, visibility="internal_only")])

    async def told() -> tuple[str, str, int]:
        [one] = (await edge.get(base)).json["totals"]
        return one["shown"]["income_minor"], one["folded"]["income_minor"], one["entries_waiting"]

    assert await told() == ("500", "0", 2)
    settle = (
        "INSERT INTO ledger.stated (log, month)"
        " VALUES (0, (date_trunc('month', now()) + interval '1 month')::date)"
    )
    await stand.fetch(settle)
    try:
        assert await told() == ("500", "0", 2)
        await scribe.append([society.gift("in 3", 19, **sealed)])
        assert await told() == ("500", "43", 0)
    finally:
        await stand.fetch("DELETE FROM ledger.stated")
    await scribe.append(
        [visibility_change(society.id, "more", name("ent", "in 1"), to="public_full")]
    )
    figures = (await edge.get(base)).json
    assert figures["visibility"] == {
        "recorded": {
            "internal_only": 1,
            "public_aggregated": 3,
            "delayed_public": 0,
            "public_full": 1,
        },
        "widened": {"public_full": 1},
    }


async def test_a_new_gifts_delay_is_counted_by_the_business_clock(
    stand: Stand, edge: Served
) -> None:
    registered = await stand.register(visibility="delayed_public")
    await advance(stand, days=30)
    before = await business_now(stand)
    assert (await edge.donate(gift(registered.id), registered.key.secret)).status == 202
    after = await business_now(stand)
    [message] = await stand.messages(registered.id, "donations.requested.v1")
    told = DonationRequested.model_validate_json(message["value"])
    assert told.public_after is not None
    assert before <= told.public_after - timedelta(days=365) <= after
