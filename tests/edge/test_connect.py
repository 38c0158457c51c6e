"""Back from Stripe without a key: a token opens the way to a fresh link, and to the state."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from contracts import connect
from ledger import keys
from tests.edge.desk import LINK, Desk
from tests.edge.stand import Answer, Served, Stand


@pytest.fixture
async def desk(stand: Stand, edge: Served) -> Desk:
    return await Desk(stand, edge).open()


class Visitor:
    """A person without a key, sent back by Stripe."""

    def __init__(self, desk: Desk, age: timedelta = timedelta()) -> None:
        self.desk = desk
        key = keys.derive(desk.stand.settings.master_key, connect.PURPOSE)
        now = datetime.now(UTC) - age
        self.token = connect.spell_token(key, "update", desk.organization, now)

    async def get(self, page: str, **headers: str) -> Answer:
        return await self.desk.edge.ask(
            "GET",
            f"/v1/connect/{page}?token={self.token}",
            headers=headers,
            allow_redirects=False,
        )


async def test_refresh_leads_to_a_fresh_link_of_the_same_kind(desk: Desk) -> None:
    waiting = asyncio.create_task(Visitor(desk).get("refresh"))
    asked = await desk.next_asked(1)
    assert asked.action == "update"
    await desk.answer(asked.request, url=LINK)
    answer = await waiting
    assert (answer.status, answer.headers["Location"]) == (303, LINK)
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Referrer-Policy"] == "no-referrer"


async def test_refresh_without_a_link_says_why(desk: Desk) -> None:
    waiting = asyncio.create_task(Visitor(desk).get("refresh"))
    asked = await desk.next_asked(1)
    await desk.answer(asked.request, outcome="refused", code="account_missing", account=None)
    assert (await waiting).code == "account_missing"


async def test_return_looks_at_stripe_and_tells_the_state(stand: Stand, desk: Desk) -> None:
    account = f"acct_{desk.organization[4:]}"
    await stand.connect(desk.organization, account)
    await stand.fetch(
        "UPDATE accounts.accounts SET charges_enabled = false, due = $2 WHERE organization = $1",
        desk.organization,
        ["external_account"],
    )
    waiting = asyncio.create_task(Visitor(desk).get("return"))
    asked = await desk.next_asked(1)
    assert (asked.action, asked.account) == ("look", account)
    await desk.answer(asked.request)
    answer = await waiting
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert "- A bank account for payouts" in answer.body.decode()
    old = await Visitor(desk, timedelta(hours=3)).get("return", Accept="application/json")
    assert (old.status, old.json["state"]) == (200, "setup")
    assert len(await desk.asked()) == 1, "an old token causes nothing"


async def test_tokens_that_are_old_or_not_ours(desk: Desk) -> None:
    old = await Visitor(desk, timedelta(hours=3)).get("refresh")
    assert (old.status, old.code) == (410, "link_expired")
    visitor = Visitor(desk)
    said, _, signature = visitor.token.rpartition(".")
    for forged in (
        "",
        "x",
        said,
        f"{said}.{signature[::-1]}",
        visitor.token.replace("update", "onboard"),
        visitor.token + "x",
    ):
        visitor.token = forged
        for page in ("return", "refresh"):
            answer = await visitor.get(page)
            assert (answer.status, answer.code) == (404, "not_found")
    assert await desk.asked() == []
