"""Tenant tables, the views over them, and what could tell one organization of another's rows."""

import re
from typing import Any

import pytest

from deploy.postgres.migrate import ROLES
from tests.isolation.matrix import committed
from tests.isolation.relations import Relation
from tests.isolation.seeds import NOWHERE, OURS

#: Views that show every organization's rows.
OPEN_VIEWS = {
    "read.accounts": "looked up by Stripe's account, before it is known whose it is",
    "read.audit_age": "one figure, nobody's",
    "read.business_clock": "one figure, nobody's",
    "read.chains": "a census names the head of every chain",
    "read.checkpoints": "the log is one for all organizations",
    "read.entries": "the log is one for all organizations; the edge decides by visibility",
    "read.funds": "names, which are public",
    "read.organizations": "names, which are public",
    "read.outbox_age": "one figure, nobody's",
    "read.payout_settings": "payouts asks who is due, of all",
    "read.permission_tokens": "how fresh a check must be; tells nothing",
    "read.relationships": "the reconciler compares all of them with SpiceDB",
    "read.stated_months": "the log is one for all organizations",
    "read.waiting_age": "one figure, nobody's",
    "read.witnessed": "the log is one for all organizations",
}
#: Tables that name an organization and have no row-level security.
OPEN_TABLES = {
    "ledger.chains": "the writer's; heads are public in the census",
    "ledger.entries": "the log is one for all organizations; others read what the edge lets them",
    "messages.set_aside": "a worker's own letters, put away before it is known whose they are",
}
#: Unique without the organization, so that a conflict could tell of another's row.
OPEN_KEYS = {
    "accounts.accounts_pkey": "Stripe's ids",
    "audit.pending_pkey": "positions",
    "edge.api_key_uses_pkey": "random ids, and their holder, which is an organization or collector",
    "edge.api_keys_pkey": "random ids",
    "edge.api_keys_previous_hash_key": "keyed hashes of random secrets",
    "edge.api_keys_secret_hash_key": "keyed hashes of random secrets",
    "edge.bookings_of_transfer": "random ids",
    "edge.collectors_pkey": "random ids",
    "edge.funds_pkey": "random ids",
    "edge.invitations_token_hash_key": "hashes of random secrets",
    "edge.one_platform": "the platform is one, and everybody knows it",
    "edge.organizations_pkey": "random ids",
    "edge.organizations_slug_key": "slugs are public",
    "edge.people_identity_hash_key": "a person is one for all organizations",
    "edge.people_pkey": "random ids",
    "edge.person_erasures_person_key": "a person is one for all organizations",
    "edge.person_erasures_pkey": "random ids",
    "edge.sessions_pkey": "random ids",
    "edge.sessions_secret_hash_key": "keyed hashes of random secrets",
    "edge.staff_pkey": "a person is one for all organizations",
    "ledger.entries_at_index": "positions in the one log",
    "ledger.entries_donor_seal": "random seals",
    "ledger.entries_once": "random ids",
    "ledger.funds_pkey": "random ids",
    "ledger.waiting_pkey": "random ids",
    "messages.set_aside_once": "positions in Kafka",
    "messages.set_aside_pkey": "positions",
    "payments.ignored_events_pkey": "Stripe's ids",
    "payouts.ignored_events_pkey": "Stripe's ids",
    "permissions.relationships_pkey": "written by one worker alone, for whoever the resource is",
    "reconciliation.differences_pkey": "positions",
    "reconciliation.requests_pkey": "random ids",
    "reconciliation.runs_pkey": "positions",
    "reconciliation.swept_events_pkey": "Stripe's ids",
}
#: Roles that row-level security does not hold back.
UNBOUND_ROLES = {
    "amply_bookkeeping": "copies rows in bulk, which row-level security does not allow",
    "amply_books": "sums up and checks the whole ledger",
    "amply_checkpoints": "copies rows in bulk; no table of a tenant",
    "amply_retention": "deletes what is due in all organizations",
}
_UNIQUE = """
    SELECT i.indexrelid::regclass::text AS name FROM pg_index AS i
    JOIN pg_class AS c ON c.oid = i.indrelid
    WHERE i.indisunique AND NOT c.relispartition
        AND (c.relrowsecurity OR EXISTS (SELECT FROM pg_attribute AS a
            WHERE a.attrelid = c.oid AND a.attname = 'organization' AND NOT a.attisdropped))
        AND c.relnamespace::regnamespace::text !~ '^(pg_|information_schema)'
        AND NOT EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = c.oid
            AND a.attname = 'organization' AND a.attnum = ANY (i.indkey))
"""
_ROLES = """
    SELECT rolname AS name, rolbypassrls AS is_unbound, rolinherit AS inherits,
        rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication AS is_mighty,
        EXISTS (SELECT FROM pg_auth_members WHERE member = r.oid OR roleid = r.oid) AS is_member,
        EXISTS (SELECT FROM pg_class WHERE relowner = r.oid)
            OR EXISTS (SELECT FROM pg_proc WHERE proowner = r.oid)
            OR EXISTS (SELECT FROM pg_namespace WHERE nspowner = r.oid) AS is_owner,
        array(SELECT nspname FROM pg_namespace
            WHERE has_schema_privilege(r.oid, oid, 'CREATE')) AS creates_in
    FROM pg_roles AS r WHERE rolname = ANY ($1::text[])
"""
_TENANT_RULE = re.compile(r"\(?\b[a-z_.]+ = ANY \(read\.organizations_in_scope\(\)\)\)?")


async def number(superuser: Any, name: str, scope: str) -> int:
    await superuser.execute("SELECT set_config('app.organizations', $1, true)", scope)
    return int(await superuser.fetchval(f"SELECT count(*) FROM {name}"))


def test_only_the_listed_views_show_rows_of_others() -> None:
    shown = {
        row for (row, _), cell in committed().items() if row.startswith("read.") and "S" in cell
    }
    assert shown == OPEN_VIEWS.keys()


async def test_a_view_shows_our_rows_to_whoever_names_us_and_to_nobody_else(
    superuser: Any, known: list[Relation]
) -> None:
    views = [one.name for one in known if one.is_view and one.name not in OPEN_VIEWS]
    assert len(views) > 30
    scopes = (OURS, f"another,{OURS}", NOWHERE, "", "our", "%", f"{OURS} ", "{ours}")
    for name in views:
        found = [await number(superuser, name, scope) > 0 for scope in scopes]
        assert found == [True, True, *[False] * 6], name


async def test_no_tenant_rule_can_be_left_out_of_a_view_unnoticed(
    superuser: Any, known: list[Relation]
) -> None:
    unnoticed, left_out = [], 0
    for view in (one for one in known if one.is_view):
        text = await superuser.fetchval("SELECT pg_get_viewdef($1::text::regclass)", view.name)
        for rule in _TENANT_RULE.finditer(text):
            mutation = superuser.transaction()
            await mutation.start()
            rest = text[: rule.start()] + "true" + text[rule.end() :]
            await superuser.execute(f"CREATE OR REPLACE VIEW {view.name} AS {rest}")
            left_out += 1
            if not await number(superuser, view.name, NOWHERE):
                unnoticed.append((view.name, rule.start()))
            await mutation.rollback()
    assert left_out > 40
    assert unnoticed == []


async def test_each_table_of_organizations_has_forced_row_security_or_a_reason(
    known: list[Relation],
) -> None:
    open_tables = {
        one.name
        for one in known
        if {"organization", "person"} & {*one.columns}
        and not one.is_view
        and not one.parent
        and not one.is_tenant
    }
    assert open_tables == OPEN_TABLES.keys()


async def test_whoever_names_several_organizations_reaches_theirs_and_whoever_names_none_nothing(
    superuser: Any, known: list[Relation]
) -> None:
    bound = {
        (row, role)
        for (row, role), cell in committed().items()
        if re.search(r"\bs\b", cell) and ", " not in row
    }
    assert len(bound) > 100
    by_name = {one.name: one for one in known}
    for row, role in sorted(bound):
        name = by_name[row].name
        for scope, seen in ((f"another,{OURS}", 1), ("another,third", 0), ("", 0), ("*", 0)):
            await superuser.execute("SELECT set_config('app.person', '', true)")
            await superuser.execute(f"SET LOCAL ROLE amply_{role}")
            column = "id" if (row, role) == ("edge.organizations", "operations") else "1"
            found = await number(superuser, f"(SELECT {column} FROM {name})", scope)
            await superuser.execute("RESET ROLE")
            assert bool(found) == bool(seen), (row, role, scope)


async def test_each_unique_key_of_tenants_holds_the_organization_or_has_a_reason(
    superuser: Any,
) -> None:
    found = {row["name"] for row in await superuser.fetch(_UNIQUE)}
    assert found == OPEN_KEYS.keys()


async def test_a_role_has_its_grants_and_nothing_beside_them(superuser: Any) -> None:
    names = [f"amply_{role}" for role in ROLES]
    roles = await superuser.fetch(_ROLES, names)
    assert len(roles) == len(names)
    for role in roles:
        assert not role["is_mighty"] and not role["is_member"] and not role["is_owner"], role
        assert role["creates_in"] == [], role
    assert {role["name"] for role in roles if role["is_unbound"]} == UNBOUND_ROLES.keys()
    assert await superuser.fetch("SELECT FROM pg_default_acl") == []


@pytest.mark.parametrize("role", ["relay", "fees", "witnesses"])
def test_whoever_moves_messages_alone_reads_no_organizations_rows(role: str) -> None:
    assert not [row for (row, other), cell in committed().items() if other == role and "s" in cell]
