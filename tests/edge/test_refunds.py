"""Refunds at the edge: accepted once, early refusals, and what is shown of each gift."""

import asyncio
import secrets
from datetime import UTC, datetime
from typing import Any

import asyncpg
import orjson
import pytest

from contracts.disputes import DisputeChanged
from contracts.message import Body
from contracts.refunds import RefundChanged, RefundRequested
from edge.organizations.service import SCOPES_DEFAULT, create_api_key
from tests.edge.stand import Answer, Served, Stand, gift
from tests.workers.bench import message, new
from topics.registry import DISPUTES_CHANGED, REFUNDS_CHANGED
from workers.donations import store_aftermath
from workers.gateways.database import tenant

pytestmark = pytest.mark.asyncio
NOW = datetime(2027, 3, 1, tzinfo=UTC)


class Given:
    """An organization with a key for refunds, and a gift of 25.00 that is paid."""

    def __init__(self, stand: Stand, edge: Served) -> None:
        self.stand, self.edge = stand, edge

    async def prepare(self, status: str = "recorded") -> "Given":
        self.registered = await self.stand.register(scopes=(*SCOPES_DEFAULT, "refunds:write"))
        self.organization, self.secret = self.registered.id, self.registered.key.secret
        made = await self.edge.donate(gift(self.organization), self.secret)
        self.donation = made.json["id"]
        await self.stand.fetch(
            "INSERT INTO donations.donations (organization, id, status, amount_minor,"
            " charge_amount_minor, currency, fund, covers_fee, created_at, updated_at)"
            " VALUES ($1, $2, $3, 2500, 2500, 'EUR', $4, false, now(), now())",
            self.organization,
            self.donation,
            status,
            self.registered.funds["EUR"],
        )
        return self

    async def refund(self, body: Any = None, key: str | None = None, **how: Any) -> Answer:
        path = f"/v1/donations/{how.get('donation', self.donation)}/refunds"
        return await self.edge.donate(body or {}, how.get("secret", self.secret), key, path)

    async def shown(self) -> Any:
        return (await self.edge.get(f"/v1/donations/{self.donation}", self.secret)).json

    async def tell(self, *facts: Body) -> None:
        """What the donations worker does with these facts."""
        async with (
            asyncpg.create_pool(self.stand.superuser_dsn, min_size=1, max_size=1) as pool,
            tenant(pool, self.organization) as connection,
        ):
            for fact in facts:
                if isinstance(fact, RefundChanged):
                    one = message(REFUNDS_CHANGED, self.organization, fact, time=NOW)
                    await store_aftermath.fold_refunds(connection, [one])
                if isinstance(fact, DisputeChanged):
                    other = message(DISPUTES_CHANGED, self.organization, fact, time=NOW)
                    await store_aftermath.fold_disputes(connection, [other])

    def refunded(self, **changes: Any) -> RefundChanged:
        values: dict[str, Any] = {
            "refund": new("rfd"),
            "donation": self.donation,
            "version": 1,
            "status": "succeeded",
            "amount_minor": 1000,
            "currency": "EUR",
            "reason": None,
            "code": None,
            "stripe_refund": "re_" + secrets.token_hex(8),
            "entry": new("ent"),
            "failure_entry": None,
            "created_at": NOW,
        }
        return RefundChanged(**values | changes)

    def disputed(self, **changes: Any) -> DisputeChanged:
        values: dict[str, Any] = {
            "dispute": new("dsp"),
            "donation": self.donation,
            "version": 1,
            "status": "needs_response",
            "reason": "fraudulent",
            "amount_minor": 2500,
            "withdrawn_minor": 2500,
            "currency": "EUR",
            "blocks_refunds": True,
            "is_return": False,
            "evidence_due_at": NOW,
            "stripe_dispute": "dp_1",
            "entries": (),
            "created_at": NOW,
        }
        return DisputeChanged(**values | changes)


@pytest.fixture
async def given(stand: Stand, edge: Served) -> Given:
    return await Given(stand, edge).prepare()


async def test_a_refund_is_accepted_once_for_a_key(stand: Stand, given: Given) -> None:
    first = await given.refund({"amount_minor": 1000, "reason": "duplicate"}, "k")
    again = await given.refund({"reason": "duplicate", "amount_minor": 1000}, '"k"')
    assert (first.status, again.status) == (202, 202)
    assert again.json == first.json
    assert again.headers["Idempotent-Replayed"] == "true"
    assert first.json["status"] == "pending"
    assert first.headers["Location"] == f"/v1/refunds/{first.json['id']}"
    [sent] = await stand.messages(given.organization, "refunds.requested.v1")
    body = RefundRequested.model_validate_json(sent["value"])
    assert (body.refund, body.donation) == (first.json["id"], given.donation)
    assert (body.amount_minor, body.reason) == (1000, "duplicate")
    assert body.requested_by == given.registered.key.id
    other = await given.refund({"amount_minor": 1001, "reason": "duplicate"}, "k")
    assert (other.status, other.code) == (422, "idempotency_key_reused")


async def test_one_key_for_two_gifts_is_reused(stand: Stand, given: Given) -> None:
    assert (await given.refund({}, "k")).status == 202
    made = await given.edge.donate(gift(given.organization), given.secret)
    other = await given.refund({}, "k", donation=made.json["id"])
    assert (other.status, other.code) == (422, "idempotency_key_reused")
    # A gift under the same key is independent.
    assert (await given.edge.donate(gift(given.organization), given.secret, "k")).status == 202


async def test_it_is_seen_at_once_and_then_as_it_is_told(given: Given) -> None:
    made = (await given.refund()).json
    path = f"/v1/refunds/{made['id']}"
    assert (await given.edge.get(path, given.secret)).json == made
    listed = await given.edge.get(f"/v1/donations/{given.donation}/refunds", given.secret)
    assert listed.json["data"] == [made]
    shown = await given.shown()
    assert shown["refunds"] == [{"id": made["id"], "status": "pending", "amount_minor": None}]
    assert shown["refundable_amount_minor"] == 0

    waiting = asyncio.create_task(given.edge.get(path, given.secret, Prefer="wait=20"))
    await given.tell(given.refunded(refund=made["id"], amount_minor=2500, version=2))
    settled = await waiting
    assert (settled.json["status"], settled.json["amount_minor"]) == ("succeeded", 2500)
    assert settled.headers["Preference-Applied"] == "wait=20"
    shown = await given.shown()
    assert (shown["status"], shown["standing"]) == ("recorded", "refunded")
    # An older fact that comes late changes nothing.
    await given.tell(given.refunded(refund=made["id"], status="pending", amount_minor=2500))
    assert (await given.edge.get(path, given.secret)).json["status"] == "succeeded"


@pytest.mark.parametrize("amount", [f"1{30 * '0'}", f"-1{30 * '0'}", "1e300", "0", '"1000"'])
async def test_an_amount_that_is_none_is_refused_by_its_name(given: Given, amount: str) -> None:
    refused = await given.refund(f'{{"amount_minor": {amount}}}'.encode())
    assert (refused.status, refused.json["param"]) == (422, "amount_minor")


@pytest.mark.parametrize("amounts", [[2501], [2000, 501], [None, 1], [2500, None]])
async def test_more_than_is_left_is_refused_early(given: Given, amounts: list[int | None]) -> None:
    for amount in amounts[:-1]:
        assert (await given.refund({"amount_minor": amount})).status == 202
    refused = await given.refund({"amount_minor": amounts[-1]}, "k")
    assert (refused.status, refused.code) == (409, "exceeds_refundable")
    await given.tell(*[given.refunded()])  # The refusal did not burn the key for good.


async def test_of_two_at_once_for_all_of_a_gift_one_is_accepted(given: Given) -> None:
    answers = await asyncio.gather(*(given.refund() for _ in range(8)))
    assert sorted(answer.status for answer in answers) == [202] + 7 * [409]


async def test_an_open_dispute_refuses_and_a_won_one_gives_it_back(given: Given) -> None:
    """C-01 (a) and (c)."""
    inquiry = given.disputed(
        status="warning_needs_response", blocks_refunds=False, withdrawn_minor=0
    )
    await given.tell(inquiry)
    shown = await given.shown()
    assert (shown["standing"], shown["refundable_amount_minor"]) == ("kept", 2500)

    dispute = given.disputed()
    await given.tell(dispute)
    shown = await given.shown()
    assert (shown["standing"], shown["refundable_amount_minor"]) == ("disputed", 0)
    refused = await given.refund()
    assert (refused.status, refused.code) == (409, "dispute_open")
    won = {"status": "won", "withdrawn_minor": 0, "blocks_refunds": False, "version": 2}
    await given.tell(dispute.model_copy(update=won))
    assert (await given.shown())["refundable_amount_minor"] == 2500
    assert (await given.refund()).status == 202


async def test_money_that_left_twice_is_named(given: Given) -> None:
    """C-01 (b): refunded a second before the bank took it."""
    await given.tell(given.refunded(amount_minor=2500), given.disputed())
    shown = await given.shown()
    assert (shown["standing"], shown["paid_back_twice_minor"]) == ("disputed", 2500)


STANDINGS: dict[str, tuple[list[dict[str, Any]], list[dict[str, Any]], str, int]] = {
    "nothing came": ([], [], "kept", 2500),
    "some is back": ([{"amount_minor": 1000}], [], "partially_refunded", 1500),
    "all is back": ([{"amount_minor": 1000}, {"amount_minor": 1500}], [], "refunded", 0),
    "a refund is on its way": ([{"status": "pending"}], [], "kept", 1500),
    "a refund failed": ([{"status": "failed"}], [], "kept", 2500),
    "a refund was refused": ([{"status": "refused", "amount_minor": None}], [], "kept", 2500),
    "the bank took it": ([], [{"status": "lost"}], "dispute_lost", 0),
    "the bank returned it": ([], [{"status": "lost", "is_return": True}], "returned", 0),
    "prevented": ([], [{"status": "prevented", "withdrawn_minor": 0}], "kept", 0),
    "an appeal": ([], [{"status": "appeal_under_review"}], "disputed", 0),
}


@pytest.mark.parametrize("case", STANDINGS.values(), ids=STANDINGS.keys())
async def test_a_gift_says_what_became_of_it(given: Given, case: Any) -> None:
    refunds, disputes, standing, refundable = case
    facts = [given.refunded(**changes) for changes in refunds]
    await given.tell(*facts, *[given.disputed(**changes) for changes in disputes])
    shown = await given.shown()
    assert (shown["standing"], shown["refundable_amount_minor"]) == (standing, refundable)
    assert shown["status"] == "recorded", "old clients read the same status"


async def test_a_gift_that_is_not_paid_cannot_be_refunded(stand: Stand, edge: Served) -> None:
    given = await Given(stand, edge).prepare("failed")
    refused = await given.refund()
    assert (refused.status, refused.code) == (409, "gift_not_paid")
    shown = await given.shown()
    assert (shown["standing"], shown["refundable_amount_minor"]) == (None, 0)


async def test_a_key_needs_the_scope_and_the_permission(stand: Stand, given: Given) -> None:
    async def key(*scopes: str) -> str:
        async with stand.edge_connection() as connection:
            issued = await create_api_key(
                connection,
                master_key=stand.settings.master_key,
                environment="test",
                organization=given.organization,
                name="another",
                scopes=scopes,
            )
        return issued.secret

    lacking = await given.refund(secret=await key("donations:read", "donations:write"))
    assert (lacking.status, lacking.code) == (403, "scope_missing")
    unknown = await given.refund(secret=await key("refunds:write"))  # SpiceDB was not told.
    assert (unknown.status, unknown.code) == (403, "permission_denied")
    other = await Given(stand, given.edge).prepare()
    stranger = await given.refund(secret=other.secret)
    assert (stranger.status, stranger.code) == (404, "donation_not_found")
    made = (await given.refund()).json
    for path in (f"/v1/refunds/{made['id']}", f"/v1/refunds/{new('rfd')}", "/v1/refunds/x"):
        assert (await given.edge.get(path, other.secret)).code == "refund_not_found"
    listed = await given.edge.get(f"/v1/donations/{given.donation}/refunds", other.secret)
    assert listed.code == "donation_not_found"


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"amount_minor": 0}, "amount_minor"),
        ({"amount_minor": 10.5}, "amount_minor"),
        ({"amount_minor": "10"}, "amount_minor"),
        ({"reason": "because"}, "reason"),
        ({"currency": "EUR"}, "currency"),
    ],
)
async def test_a_body_that_breaks_a_rule(given: Given, body: Any, param: str) -> None:
    answer = await given.refund(orjson.dumps(body), "k")
    assert (answer.status, answer.json["param"]) == (422, param)
    assert (await given.refund({}, "k")).status == 202, "an invalid body does not burn the key"
