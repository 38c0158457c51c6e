"""The matrix as it is committed, as the catalog has it, and as trying finds it."""

import csv
from pathlib import Path
from typing import Any, Final

from deploy.postgres.migrate import ROLES
from tests.isolation.relations import Relation
from tests.isolation.trying import attempts, rights

PATH: Final = Path(__file__).with_name("matrix.csv")
Cells = dict[tuple[str, str], str]
"""By row and role; a cell that is empty is left out."""

_OURS: Final = "!~ '^(pg_|information_schema|trying)'"
#: Functions that act with their owner's rights; triggers are called by nobody.
_FUNCTIONS: Final = f"""
    SELECT oid::regproc::text || '()' AS name, format('SELECT FROM %s(%s)', oid::regproc, (
        SELECT string_agg(format('NULL::%s', format_type(kind, NULL)), ', ' ORDER BY place)
        FROM unnest(proargtypes) WITH ORDINALITY AS argument (kind, place))) AS call
    FROM pg_proc WHERE prosecdef AND prorettype <> 'trigger'::regtype
        AND pronamespace::regnamespace::text {_OURS}
    ORDER BY name
"""
#: What the catalog says of each role: a letter, or a letter and the columns.
_CATALOG: Final = f"""
    SELECT n.nspname || '.' || quote_ident(c.relname) AS name, role, right_name, letter,
        array(SELECT quote_ident(attname) FROM pg_attribute
            WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped
                AND CASE WHEN right_name IN ('SELECT', 'INSERT', 'UPDATE')
                    THEN has_column_privilege('amply_' || role, c.oid, attnum, right_name)
                    ELSE has_table_privilege('amply_' || role, c.oid, right_name) END
            ORDER BY attnum) AS columns,
        (SELECT count(*) FROM pg_attribute
            WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped) AS number
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    CROSS JOIN unnest($1::text[]) AS role
    CROSS JOIN (VALUES (1, 'SELECT', 'S'), (2, 'INSERT', 'I'), (3, 'UPDATE', 'U'),
        (4, 'DELETE', 'D'), (5, 'TRUNCATE', 'T'), (6, 'REFERENCES', 'R'),
        (7, 'TRIGGER', 'G')) AS r (place, right_name, letter)
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname {_OURS}
    ORDER BY 1, 2, place
"""


def committed() -> Cells:
    """What is reviewed and wanted."""
    with PATH.open(newline="") as file:
        rows = list(csv.DictReader(file))
    return {(row["relation"], role): row[role] for row in rows for role in ROLES if row[role]}


def rows_committed() -> set[str]:
    with PATH.open(newline="") as file:
        return {row["relation"] for row in csv.DictReader(file)}


def row_name(relation: Relation, label: str = "") -> str:
    return f"{relation.name}, {label}" if label else relation.name


async def tried(connection: Any, role: str, known: list[Relation]) -> Cells:
    """What the role, whose connection this is, can do with these."""
    cells: Cells = {}
    for relation in known:
        for label, cell in (await rights(connection, relation)).items():
            if cell:
                cells[row_name(relation, label), role] = cell
    return cells


async def tried_functions(connection: Any, role: str, functions: dict[str, str]) -> Cells:
    """X where the role may call a function that acts with its owner's rights."""
    answers = await attempts(connection, [(call, "nowhere") for call in functions.values()])
    return {
        (name, role): "X"
        for name, answer in zip(functions, answers, strict=True)
        if answer != "!42501"
    }


async def functions(connection: Any) -> dict[str, str]:
    """A call of each, by its name."""
    rows = await connection.fetch(_FUNCTIONS)
    return {row["name"]: row["call"] for row in rows}


async def cataloged(connection: Any) -> Cells:
    """What the catalog says, all in upper case: whose rows, only policies say."""
    cells: Cells = {}
    for row in await connection.fetch(_CATALOG, list(ROLES)):
        if row["columns"]:
            named = f"({' '.join(row['columns'])})" if len(row["columns"]) < row["number"] else ""
            key = (row["name"], row["role"])
            cells[key] = f"{cells.get(key, '')} {row['letter']}{named}".strip()
    return cells
