"""What the edge leaves in the audit log: writes, denials, reads; who may read it, and forget."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from prometheus_client import REGISTRY

from edge.access import Access
from edge.audit import trail as trails
from edge.audit.asking import Asking, Somebody
from edge.database.pool import Database
from edge.errors import ProblemError
from edge.operations import OPERATIONS
from ledger import keys
from ledger.audit import PURPOSE
from ledger.audit_export import verify
from ledger.store import audit
from tests.edge.society import Society
from tests.edge.stand import Served, Stand, gift, until

pytestmark = pytest.mark.asyncio


async def rows(stand: Stand, organization: str, **only: object) -> list[Any]:
    """What waits for its place, once it is stored."""
    found = await stand.fetch(
        "SELECT * FROM audit.pending WHERE organization = $1 ORDER BY position", organization
    )
    return [row for row in found if all(row[name] == value for name, value in only.items())]


async def stored(stand: Stand, organization: str, count: int = 1, **only: object) -> list[Any]:
    async def enough() -> list[Any]:
        found = await rows(stand, organization, **only)
        return found if len(found) >= count else []

    found: list[Any] = await until(enough, f"{count} rows of {only} are stored")
    return found


async def chained(stand: Stand) -> None:
    async with stand.role_connection("audit") as connection:
        await audit.advance(connection, await audit.take(connection), 10_000)


async def test_a_gift_leaves_a_row_with_its_key_and_no_trace_of_the_donor(
    stand: Stand, edge: Served
) -> None:
    registered = await stand.register()
    key = secrets.token_hex(8)
    posted = await edge.donate(gift(registered.id), registered.key.secret, key)
    assert (await edge.donate(gift(registered.id), registered.key.secret, key)).status == 202
    [row] = await rows(stand, registered.id)
    assert (row["action"], row["outcome"], row["times"]) == ("createDonation", "done", 1)
    assert (row["actor_kind"], row["actor"]) == ("api_key", registered.key.id)
    assert (row["resource"], row["client_seal"]) == (posted.json["id"], None)


async def test_gifts_of_one_batch_share_a_row_that_counts_them(stand: Stand, edge: Served) -> None:
    registered = await stand.register()
    posts = [edge.donate(gift(registered.id), registered.key.secret) for _ in range(40)]
    assert {answer.status for answer in await asyncio.gather(*posts)} == {202}
    found = await rows(stand, registered.id)
    assert sum(row["times"] for row in found) == 40
    assert all(row["resource"] == "donations" for row in found if row["times"] > 1)


async def test_a_write_takes_its_row_into_its_transaction(stand: Stand, society: Society) -> None:
    secret = await society.key("payouts:write", "payouts:read")
    path = f"/v1/organizations/{society.slug}/payout-settings"
    async with stand.serve() as edge:
        answer = await edge.ask(
            "PATCH",
            path,
            json={"interval": "weekly", "weekday": 1},
            headers={"Authorization": f"Bearer {secret}", "X-Request-Id": "req-of-this-test"},
        )
    assert answer.status == 200, answer.body
    [row] = await rows(stand, society.id, action="changePayoutSettings")
    assert (row["outcome"], row["resource"], row["request"]) == (
        *("done", society.id, "req-of-this-test"),
    )
    assert (row["before"], len(row["after"])) == (None, 64)
    key = keys.derive(stand.settings.master_key, PURPOSE)
    opening = keys.decrypt(key, row["client"], row["client_seal"].encode())
    assert b"127.0.0.0/24" in opening


async def test_denials_are_noted_where_they_happened(stand: Stand, society: Society) -> None:
    other = await stand.register()
    secret = await society.key("payouts:read")
    path = f"/v1/organizations/{society.slug}"
    async with stand.serve() as edge:
        for who, where, status in (
            (secret, f"{path}/reconciliation", 403),  # The scope.
            (other.key.secret, f"{path}/payouts", 403),
            (None, f"{path}/payouts", 401),
        ):
            assert (await edge.get(where, who)).status == status
        for _ in range(20):
            assert (await edge.get(f"{path}/payouts", "ampk_test_nobody")).status == 401
    denied = await rows(stand, society.id, outcome="denied")
    assert [row["code"] for row in denied] == ["scope_missing"]
    [strange] = await rows(stand, other.id, outcome="denied")
    assert (strange["code"], strange["actor"]) == ("scope_missing", other.key.id)
    nobody = await rows(stand, "platform", outcome="denied", code="unauthenticated")
    assert sum(row["times"] for row in nobody) >= 21 > len(nobody)
    assert {row["actor"] for row in nobody} == {"anonymous"}


async def test_reads_are_counted_by_the_minute_and_of_persons_one_by_one(
    stand: Stand, society: Society
) -> None:
    secret = await society.key("payouts:read", "audit:read")
    path = f"/v1/organizations/{society.slug}"
    async with stand.serve() as edge:
        for _ in range(30):
            assert (await edge.get(f"{path}/payouts", secret)).status == 200
        for _ in range(2):
            assert (await edge.get(f"{path}/audit-log", secret)).status == 200
        assert await rows(stand, society.id, action="listPayouts") == []
    counted = await rows(stand, society.id, action="listPayouts")
    assert sum(row["times"] for row in counted) == 30
    assert len(counted) <= 2 and all(row["client_seal"] is None for row in counted)
    one_by_one = await rows(stand, society.id, action="listAuditLog")
    assert [(row["times"], row["resource"]) for row in one_by_one] == [(1, society.id)] * 2


class _Away:
    @asynccontextmanager
    async def transaction(self, scope: list[str]) -> AsyncIterator[Any]:
        raise ProblemError("unavailable")
        yield


async def test_what_waits_outlasts_an_outage(stand: Stand) -> None:
    registered = await stand.register()
    database: Any = _Away()
    trail = trails.AuditTrail(database, bytes(32), lambda _: None)
    who = Asking(Somebody("person", "usr_1", registered.id), "showDonor", network="203.0.113.0/24")
    who.key = bytes(32)
    trail.read(who, "prof_1")
    trail.read(who, None)
    for _ in range(3):
        with pytest.raises(ProblemError):
            await trail.flush(is_last=True)
    database = Database(stand.settings.postgres)
    await database.open()
    trail._database = database
    await trail.flush(is_last=True)
    await trail.flush(is_last=True)
    await database.close()
    assert sorted(row["resource"] or "" for row in await rows(stand, registered.id)) == [
        "",
        "prof_1",
    ]


async def test_what_does_not_fit_is_counted(
    stand: Stand, society: Society, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trails, "ROWS_MAX", 3)
    monkeypatch.setattr(trails, "FLUSH_S", 3600)
    secret = await society.key("audit:read")
    lost = REGISTRY.get_sample_value("amply_edge_audit_lost_total", {"reason": "full"}) or 0
    async with stand.serve() as edge:
        for _ in range(5):
            assert (await edge.get(f"/v1/organizations/{society.slug}/audit-log", secret)).status
    assert len(await rows(stand, society.id, action="listAuditLog")) == 3
    now = REGISTRY.get_sample_value("amply_edge_audit_lost_total", {"reason": "full"})
    assert now == lost + 2


async def test_owners_read_filter_and_take_a_copy_that_verifies(
    stand: Stand, society: Society
) -> None:
    secret = await society.key("payouts:write", "payouts:read", "audit:read")
    path = f"/v1/organizations/{society.slug}"
    headers = {"Authorization": f"Bearer {secret}"}
    async with stand.serve() as edge:
        for day in (1, 2, 5):
            change = {"interval": "weekly", "weekday": day}
            answer = await edge.ask(
                "PATCH", f"{path}/payout-settings", json=change, headers=headers
            )
            assert answer.status == 200
        await chained(stand)
        log = f"{path}/audit-log"
        page = (await edge.get(f"{log}?action=changePayoutSettings&limit=2", secret)).json
        assert [record["outcome"] for record in page["data"]] == ["done"] * 2
        assert page["data"][0]["network"] == "127.0.0.0/24"
        assert page["data"][0]["before"] == page["data"][1]["after"]
        rest = await edge.get(
            f"{log}?action=changePayoutSettings&limit=2&cursor={page['next_cursor']}", secret
        )
        assert (len(rest.json["data"]), rest.json["has_more"]) == (1, False)
        first = rest.json["data"][0]
        none = await edge.get(f"{log}?to={first['time'].replace('+', '%2B')}&actor=key_x", secret)
        assert none.json["data"] == []
        for wrong in ("from=yesterday", "actor=%0a", "cursor=abc", "actor=", "limit=0"):
            assert (await edge.get(f"{log}?{wrong}", secret)).code == "query_not_accepted"
        copy = await edge.get(f"{log}/export", secret)
        told = verify(copy.body.splitlines(keepends=True))
        assert (told.organization, told.records) == (society.id, len(copy.body.splitlines()) - 1)
        other = await stand.register()
        assert (await edge.get(log, other.key.secret)).code == "scope_missing"
        stranger = await society.key("audit:read", owner=other.id)
        assert (await edge.get(log, stranger)).code == "organization_not_found"


async def test_every_write_operation_has_an_actor_or_is_public() -> None:
    for operation in OPERATIONS:
        if operation.method != "get" and not isinstance(operation.access, Access):
            assert operation.path.startswith(("/v1/webhooks/", "/v1/public/")), operation
