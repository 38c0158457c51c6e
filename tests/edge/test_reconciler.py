"""What drifted apart in SpiceDB is repaired through the outbox, both ways, and nothing else."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from contracts.permissions import PermissionsRequested, RelationshipChange
from edge import authorization
from edge.organizations.service import Registered
from edge.reconciler.decisions import Recorded, is_governed, missing, owner, unknown
from edge.reconciler.service import NOBODY, Outcome, reconcile
from edge.spicedb import NEWEST, Question, Relation, SpiceDB
from tests.edge.stand import Served, Stand, gift, spicedb, until


def line(one: RelationshipChange) -> str:
    return f"{one.resource}#{one.relation}@{one.subject}"


def relation(text: str) -> Relation:
    resource, _, rest = text.partition("#")
    name, _, subject = rest.partition("@")
    return Relation(resource, name, subject)


def change(operation: Any, text: str) -> RelationshipChange:
    one = relation(text)
    return RelationshipChange(
        operation=operation, resource=one.resource, relation=one.relation, subject=one.subject
    )


async def record(stand: Stand, organization: str) -> list[str]:
    """Keep what the worker would keep of the messages so far, of a new organization."""
    lines = []
    for message in await stand.messages(organization, "permissions.requested.v1"):
        for one in PermissionsRequested.model_validate_json(message["value"]).changes:
            if one.operation == "touch":
                await stand.fetch(
                    "INSERT INTO permissions.relationships (resource, relation, subject,"
                    " organization) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
                    *(one.resource, one.relation, one.subject, organization),
                )
                lines.append(line(one))
    await stand.fetch("DELETE FROM messages.outbox")
    return lines


async def run(stand: Stand) -> Outcome:
    spicedb = SpiceDB(stand.settings.spicedb, stand.settings.spicedb_token)
    async with stand.edge_connection() as connection:
        return await reconcile(connection, spicedb)


async def prepared(stand: Stand) -> tuple[Registered, list[str]]:
    registered = await stand.register()
    return registered, await record(stand, registered.id)


def about(outcome: tuple[str, ...], *names: str) -> list[str]:
    return [one for one in outcome if any(name in one for name in names)]


async def holds(stand: Stand, registered: Registered) -> bool:
    spicedb = SpiceDB(stand.settings.spicedb, stand.settings.spicedb_token)
    resource = f"organization:{registered.id}"
    question = Question(resource, "create_donation_by_api", f"api_key:{registered.key.id}")
    return await spicedb.ask(question, NEWEST)


async def test_nothing_is_repaired_where_all_agree(stand: Stand) -> None:
    registered, _ = await prepared(stand)
    outcome = await run(stand)
    assert outcome.is_done
    assert about((*outcome.touched, *outcome.deleted), registered.id, registered.key.id) == []


async def test_what_was_deleted_by_hand_is_touched_again(stand: Stand) -> None:
    registered, lines = await prepared(stand)
    await stand.change_permissions(tuple(change("delete", one) for one in lines))
    assert not await holds(stand, registered)
    outcome = await run(stand)
    assert sorted(about(outcome.touched, registered.id, registered.key.id)) == sorted(lines)
    # The staff's way in is among them, and what was said of collectors.
    assert f"organization:{registered.id}#platform@platform:amply" in outcome.touched
    assert f"organization:{registered.id}#public_ledger@collector:*" in outcome.touched
    await stand.apply_permissions(registered.id)
    assert await holds(stand, registered)


async def test_what_no_row_knows_is_deleted(stand: Stand) -> None:
    registered, _ = await prepared(stand)
    foreign = [
        f"organization:{registered.id}#scope_payout_manage@api_key:key_forged",
        f"organization:{registered.id}#scope_donor_read@api_key:{registered.key.id}x",
        f"fund:fund_forged#organization@organization:{registered.id}",
        f"fund:{registered.funds['EUR']}#manager@user:usr_forged_{registered.id}",
        f"organization:{registered.id}#owner@user:usr_forged",
        f"organization:{registered.id}#suspended@user:*",
    ]
    await stand.change_permissions(tuple(change("touch", one) for one in foreign))
    outcome = await run(stand)
    assert sorted(about(outcome.deleted, registered.id)) == sorted(foreign)
    await stand.apply_permissions(registered.id)
    assert about((await run(stand)).deleted, registered.id) == []


async def test_a_revoked_keys_leftovers_are_deleted(stand: Stand) -> None:
    registered, lines = await prepared(stand)
    await stand.fetch(
        "UPDATE edge.api_keys SET revoked_at = now() WHERE id = $1", registered.key.id
    )
    outcome = await run(stand)
    of_the_key = [one for one in lines if registered.key.id in one]
    assert sorted(about(outcome.deleted, registered.key.id)) == sorted(of_the_key)
    await stand.apply_permissions(registered.id)
    assert not await holds(stand, registered)


async def test_who_was_shut_out_by_hand_stays_shut_out(stand: Stand) -> None:
    registered, _ = await prepared(stand)
    blocked = f"organization:{registered.id}#blocked@user:usr_someone"
    await stand.change_permissions((change("touch", blocked),))
    outcome = await run(stand)
    assert blocked not in outcome.deleted


async def test_what_is_of_no_known_organization_is_deleted_in_nobodys_name(stand: Stand) -> None:
    await stand.change_permissions(
        (change("touch", "api_key:key_lost#organization@organization:org_lost"),)
    )
    await stand.fetch("DELETE FROM messages.outbox")
    outcome = await run(stand)
    assert about(outcome.deleted, "key_lost")
    assert len(NOBODY) == len("org_") + 26


async def test_two_at_once_do_it_once(stand: Stand) -> None:
    async with stand.edge_connection() as connection, connection.transaction():
        await connection.fetch("SELECT pg_advisory_xact_lock(hashtext('edge.reconciler'))")
        assert await run(stand) == Outcome(is_done=False)


async def test_a_change_that_is_announced_ends_what_the_edge_remembers(
    stand: Stand, edge: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(authorization, "ALLOWED_S_MAX", 3600.0)
    monkeypatch.setattr(authorization, "RENEW_FROM_S", 3600.0)
    registered, lines = await prepared(stand)
    secret = registered.key.secret

    async def status() -> int:
        answer = await edge.donate(gift(registered.id), secret)
        return answer.status if answer.status != 503 else 0

    assert await until(status, "SpiceDB answers in time") == 202
    async with stand.edge_connection():
        await stand.change_permissions(tuple(change("delete", one) for one in lines))
    assert await status() == 202
    await stand.fetch(
        "INSERT INTO permissions.tokens (organization, zed_token) VALUES ($1, $2)",
        *(registered.id, await newest_token(stand, registered.id)),
    )

    async def is_refused() -> bool:
        return await status() == 403

    await until(is_refused, "the change is heard")


async def newest_token(stand: Stand, organization: str) -> str:
    async with spicedb(stand.engines) as gateway:
        return await gateway.write(
            [change("touch", f"organization:{organization}#viewer@user:usr_anybody")]
        )


ONE = Relation("organization:o", "platform", "platform:amply")
NOW = datetime(2027, 1, 1, tzinfo=UTC)


def recorded(*relations: Relation) -> dict[Any, Recorded]:
    return {one.names: Recorded(one, "o") for one in relations}


def held(*relations: Relation) -> dict[Any, Relation]:
    return {one.names: one for one in relations}


@pytest.mark.parametrize(
    ("known", "there"),
    [((), (ONE,)), ((ONE,), ()), ((ONE,), (replace(ONE, expires_at=NOW),))],
)
def test_what_is_not_as_it_should_be_on_either_side_is_missing(known: Any, there: Any) -> None:
    assert missing([ONE], recorded(*known), held(*there)) == {ONE.names}


def test_what_has_a_condition_or_another_end_is_wrong() -> None:
    ends = replace(ONE, expires_at=NOW)
    for wrong in (
        replace(ONE, is_conditional=True),
        ends,
        replace(ONE, expires_at=NOW + timedelta(seconds=1)),
    ):
        assert missing([ONE], recorded(ONE), held(wrong)) == {ONE.names}
    assert missing([ends], recorded(ends), held(ends)) == set()
    assert missing([ends], recorded(ONE), held(ends)) == {ONE.names}


def test_what_either_side_has_and_nobody_wants_is_unknown() -> None:
    assert unknown([], recorded(ONE), {}) == {ONE.names}
    assert unknown([], {}, held(ONE)) == {ONE.names}
    assert unknown([ONE], recorded(ONE), held(ONE)) == set()
    assert not is_governed(("organization:o", "blocked", "user:u"))


@pytest.mark.parametrize(
    ("names", "whose"),
    [
        (("organization:a", "scope_donor_read", "api_key:of_b"), "a"),
        (("fund:of_a", "scope_ledger_read", "api_key:of_b"), "a"),
        (("api_key:of_b", "organization", "organization:a"), "b"),
        (("fund:lost", "organization", "organization:a"), "a"),
        (("fund:lost", "manager", "user:u"), None),
        (("collector:c", "manager", "user:u"), "p"),
        (("platform:amply", "support", "user:u"), "p"),
    ],
)
def test_whose_rows_decide(names: Any, whose: str | None) -> None:
    assert owner(names, {"fund:of_a": "a", "api_key:of_b": "b"}, "p") == whose
