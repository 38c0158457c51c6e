"""Every role, with its own login, tries everything; matrix.csv says what works. Nothing may change
unnoticed: each policy dropped or opened, each right withdrawn or given, changes what is found.
"""

import re
from typing import Any

from deploy.postgres.migrate import ROLES
from tests.isolation.matrix import (
    Cells,
    cataloged,
    committed,
    functions,
    row_name,
    rows_committed,
    tried,
    tried_functions,
)
from tests.isolation.relations import Relation, relations
from tests.isolation.seeds import cases
from tests.isolation.trying import Logins

NEWCOMER = "newcomer"
_POLICIES = """
    SELECT polname AS name, polrelid AS table_id, pg_get_expr(polqual, polrelid) AS rows,
        pg_get_expr(polwithcheck, polrelid) AS checked
    FROM pg_policy ORDER BY polrelid::regclass::text, polname
"""
_GRANTS = """
    SELECT c.oid AS table_id, acl.privilege_type AS right_name, acl.grantee::regrole::text AS role,
        NULL AS column
    FROM pg_class AS c, aclexplode(c.relacl) AS acl
    WHERE acl.grantee::regrole::text LIKE 'amply\\_%'
    UNION ALL
    SELECT a.attrelid, acl.privilege_type, acl.grantee::regrole::text, quote_ident(a.attname)
    FROM pg_attribute AS a, aclexplode(a.attacl) AS acl
    WHERE acl.grantee::regrole::text LIKE 'amply\\_%'
    ORDER BY 1, 3, 2, 4
"""


def differences(found: Cells, wanted: Cells) -> list[str]:
    return [
        f"{row}, {role}: {found.get((row, role), '')!r} in place of {wanted.get((row, role), '')!r}"
        for row, role in sorted(found.keys() | wanted.keys())
        if found.get((row, role)) != wanted.get((row, role))
    ]


async def as_role(superuser: Any, role: str, some: list[Relation]) -> Cells:
    """As `tried`, without a login, so that what the transaction changed is seen."""
    await superuser.execute(f"SET LOCAL ROLE amply_{role}")
    try:
        return await tried(superuser, role, some)
    finally:
        await superuser.execute("RESET ROLE")


def of_relation(cells: Cells, relation: Relation, role: str | None = None) -> Cells:
    rows = {row_name(relation, case.label) for case in cases(relation)}
    return {key: cell for key, cell in cells.items() if key[0] in rows and role in (None, key[1])}


async def test_every_role_can_do_what_the_matrix_says_and_nothing_else(
    logins: Logins, superuser: Any, known: list[Relation]
) -> None:
    calls = await functions(superuser)
    unknown = {row_name(one) for one in known if not one.parent} | calls.keys()
    assert not unknown - rows_committed(), "say in matrix.csv who may do what with these"
    found: Cells = {}
    for role in ROLES:
        async with logins.connection(role) as connection:
            found |= await tried(connection, role, known)
            found |= await tried_functions(connection, role, calls)
    wanted = committed()
    assert not differences(found, wanted), "\n".join(differences(found, wanted))
    gone = rows_committed() - unknown - {row for row, _ in found}
    assert not gone, "matrix.csv has rows of what is gone"


async def test_the_catalog_says_what_the_matrix_says(superuser: Any) -> None:
    """It also knows rights that are not tried, such as triggers; it does not know whose rows."""
    wanted = {
        key: re.sub(r"-?\b([a-z])(?=$| |\()", lambda letter: letter[1].upper(), cell)
        for key, cell in committed().items()
        if ", " not in key[0] and not key[0].endswith("()")
    }
    found = await cataloged(superuser)
    assert not differences(found, wanted), "\n".join(differences(found, wanted))


async def test_no_policy_can_be_dropped_or_opened_unnoticed(
    superuser: Any, known: list[Relation]
) -> None:
    """Beside the roles tries a newcomer with every right, whom no policy names."""
    wanted = committed()
    tables = await newcomer(superuser, known)
    policies = await superuser.fetch(_POLICIES)
    assert len(policies) > 100
    unnoticed = []
    for policy in policies:
        relation = tables[policy["table_id"]]
        holders = {role for row, role in wanted if row.split(", ")[0] == relation.name}
        before = of_relation(wanted, relation) | await as_role(superuser, NEWCOMER, [relation])
        for change in mutations(policy, relation):
            mutation = superuser.transaction()
            await mutation.start()
            await superuser.execute(change)
            for role in (*sorted(holders), NEWCOMER):
                after = await as_role(superuser, role, [relation])
                if after != of_relation(before, relation, role):
                    break
            else:
                unnoticed.append(change)
            await mutation.rollback()
    assert not unnoticed, "\n".join(unnoticed)


async def test_whoever_is_given_a_tenant_table_reaches_what_the_transaction_names(
    superuser: Any, known: list[Relation]
) -> None:
    await newcomer(superuser, known)
    tenants = [one for one in known if one.is_tenant]
    assert len(tenants) > 50
    found = await as_role(superuser, NEWCOMER, tenants)
    assert {found[one.name, NEWCOMER] for one in tenants} == {"s i u d T"}


async def newcomer(superuser: Any, known: list[Relation]) -> dict[int, Relation]:
    """Make a role with every right on every table; the tables by their object ids."""
    await superuser.execute(f"CREATE ROLE amply_{NEWCOMER}")
    tables = [one for one in known if not one.is_view and not one.parent]
    for schema in {one.name.split(".")[0] for one in tables}:
        await superuser.execute(f"GRANT USAGE ON SCHEMA {schema} TO amply_{NEWCOMER}")
    names = ", ".join(one.name for one in tables)
    await superuser.execute(f"GRANT ALL ON {names} TO amply_{NEWCOMER}")
    return await by_id(superuser, tables)


async def by_id(superuser: Any, known: list[Relation]) -> dict[int, Relation]:
    rows = await superuser.fetch(
        "SELECT name::regclass::oid FROM unnest($1::text[]) AS name", [one.name for one in known]
    )
    return {row["name"]: one for row, one in zip(rows, known, strict=True)}


def mutations(policy: Any, relation: Relation) -> list[str]:
    changes = [f"DROP POLICY {policy['name']} ON {relation.name}"]
    for clause, way in (("rows", "USING"), ("checked", "WITH CHECK")):
        if policy[clause] not in (None, "true"):
            changes.append(f"ALTER POLICY {policy['name']} ON {relation.name} {way} (true)")
    return changes


async def test_no_right_can_be_withdrawn_unnoticed(superuser: Any, known: list[Relation]) -> None:
    wanted = committed()
    tables = await by_id(superuser, known)
    grants = [one for one in await superuser.fetch(_GRANTS) if one["right_name"] != "MAINTAIN"]
    assert len(grants) > 300
    unnoticed = []
    for grant in grants:
        relation = tables[grant["table_id"]]
        role = grant["role"].removeprefix("amply_")
        columns = f" ({grant['column']})" if grant["column"] else ""
        change = f"REVOKE {grant['right_name']}{columns} ON {relation.name} FROM {grant['role']}"
        mutation = superuser.transaction()
        await mutation.start()
        await superuser.execute(change)
        if await as_role(superuser, role, [relation]) == of_relation(wanted, relation, role):
            unnoticed.append(change)
        await mutation.rollback()
    assert not unnoticed, "\n".join(unnoticed)


async def test_no_right_can_be_given_unnoticed(superuser: Any, known: list[Relation]) -> None:
    """The catalog tells for every role; that trying tells the same is shown for one without rows.

    Where a schema is closed to a role, the catalog alone tells: the schemas are opened here.
    """
    everybody = await open_schemas(superuser)
    for relation in known:
        await superuser.execute(f"GRANT ALL ON {relation.name} TO {everybody}")
    rows = {row_name(one) for one in known}
    assert await cataloged(superuser) == {
        (row, role): "S I U D T R G" for row in rows for role in ROLES
    }
    found = await as_role(superuser, "relay", known)
    for relation in known:
        letters = re.sub(r"\(.*?\)|[^A-Z]", "", found[row_name(relation), "relay"].upper())
        assert letters == ("S" if relation.is_view else "SIUDT"), relation.name


async def test_no_function_can_be_given_or_withdrawn_unnoticed(superuser: Any) -> None:
    everybody = await open_schemas(superuser)
    for name, call in (await functions(superuser)).items():
        function = name.removesuffix("()")
        for change, expected in (
            (f"REVOKE ALL ON FUNCTION {function} FROM {everybody}", ""),
            (f"GRANT EXECUTE ON FUNCTION {function} TO {everybody}", "X"),
        ):
            await superuser.execute(change)
            for role in ROLES:
                await superuser.execute(f"SET LOCAL ROLE amply_{role}")
                found = await tried_functions(superuser, role, {name: call})
                await superuser.execute("RESET ROLE")
                assert found.get((name, role), "") == expected, (name, role)


async def open_schemas(superuser: Any) -> str:
    """Let every role use every schema; all roles, as SQL names them."""
    everybody = ", ".join(f"amply_{role}" for role in ROLES)
    for schema in {one.name.split(".")[0] for one in await relations(superuser)}:
        await superuser.execute(f"GRANT USAGE ON SCHEMA {schema} TO {everybody}")
    return everybody
