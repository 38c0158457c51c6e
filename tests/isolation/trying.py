"""What a role can do with a table or view, found out by doing it.

A cell of the matrix lists rights: S select, I insert, U update, D delete, T truncate. Upper case:
any row; lower case: only rows of what the transaction names; `-` before a letter: the privilege,
but on no row. A right on some columns names them: `u(seen_at revoked_at)`.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import asyncpg

from tests.isolation.relations import Relation
from tests.isolation.seeds import MAIN, NOWHERE, SCOPE_COLUMNS, Case, cases, row

#: Does a statement and undoes it: how many rows it touched, or the error's code.
PREPARE: Final = """
    CREATE SCHEMA trying;
    GRANT USAGE ON SCHEMA trying TO PUBLIC;
    CREATE FUNCTION trying.attempt(statement text, scope text) RETURNS text LANGUAGE plpgsql AS $$
    DECLARE
        touched bigint;
    BEGIN
        PERFORM set_config('app.organizations', scope, true), set_config('app.person', scope, true);
        EXECUTE statement;
        GET DIAGNOSTICS touched = ROW_COUNT;
        RAISE EXCEPTION 'undo' USING ERRCODE = 'ZZ000';
    EXCEPTION
        WHEN SQLSTATE 'ZZ000' THEN RETURN touched::text;
        WHEN OTHERS THEN RETURN '!' || SQLSTATE;
    END
    $$
"""
_TRY: Final = """
    SELECT trying.attempt(one.statement, one.scope) AS answer
    FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS one (statement, scope, place)
    ORDER BY place
"""
_REFUSED: Final = "!42501"


@dataclass(frozen=True)
class Logins:
    """How to be each role."""

    superuser_dsn: str
    passwords: Mapping[str, str]

    @asynccontextmanager
    async def connection(self, role: str) -> AsyncIterator[Any]:
        """A connection with the role's own login."""
        place = self.superuser_dsn.rpartition("@")[2]
        connection = await asyncpg.connect(
            f"postgresql://amply_{role}:{self.passwords[role]}@{place}"
        )
        try:
            yield connection
        finally:
            await connection.close()


async def rights(connection: Any, relation: Relation) -> dict[str, str]:
    """The cells of whoever the connection is, by the label of the case; of cases if not empty."""
    columns = await _columns(connection, relation)
    letters = await _letters(connection, relation, MAIN, columns)
    found = {"": _spell(relation, letters, columns)}
    for case in cases(relation)[1:]:
        more = await _letters(connection, relation, case, columns)
        own = {
            right: letter
            for right, letter in more.items()
            if letter == right.lower() and letters[right] != right
        }
        if own:
            found[case.label] = _spell(relation, own, columns)
    return found


async def attempts(connection: Any, tried: list[tuple[str, str]]) -> list[str]:
    """What became of each statement under its scope."""
    rows = await connection.fetch(_TRY, [one[0] for one in tried], [one[1] for one in tried])
    return [record["answer"] for record in rows]


async def _columns(connection: Any, relation: Relation) -> dict[str, tuple[str, ...]]:
    """The columns on which each right is not refused outright, tried without touching a row.

    Of a partition, on which nobody has a right, one column is enough.
    """
    name = relation.name
    columns = relation.columns[-1:] if relation.parent else relation.columns
    tried = [("S", one, f"SELECT {one} FROM {name} WHERE false") for one in columns]
    if not relation.is_view:
        for one in columns:
            insert = f"INSERT INTO {name} ({one}) OVERRIDING SYSTEM VALUE SELECT NULL WHERE false"
            tried.append(("I", one, insert))
            tried.append(("U", one, f"UPDATE {name} SET {one} = DEFAULT WHERE false"))
        tried.append(("D", "", f"DELETE FROM {name} WHERE false"))
        tried.append(("T", "", f"TRUNCATE {name}"))
    answers = await attempts(connection, [(statement, NOWHERE) for _, _, statement in tried])
    found: dict[str, tuple[str, ...]] = {}
    for (right, column, _), answer in zip(tried, answers, strict=True):
        if answer != _REFUSED:
            more = (column,) if column else relation.columns
            found[right] = (*found.get(right, ()), *more)
    return {right: found[right] for right in "SIUDT" if right in found}


async def _letters(
    connection: Any, relation: Relation, case: Case, columns: dict[str, tuple[str, ...]]
) -> dict[str, str]:
    """Each right, spelled by whether it reaches the case's row within its scope, and without."""
    rights = [right for right in columns if right != "T"]
    statements = [_statement(relation, case, right, columns[right]) for right in rights]
    scopes = (case.scope, NOWHERE)
    answers = iter(
        await attempts(connection, [(one, scope) for one in statements for scope in scopes])
    )
    found = {}
    for right in rights:
        within, anywhere = (_has_touched(next(answers)) for _ in scopes)
        if case.scope == NOWHERE:
            anywhere = False
        found[right] = right if anywhere else right.lower() if within else f"-{right}"
    return found | ({"T": "T"} if "T" in columns else {})


def _has_touched(answer: str) -> bool:
    """A row that may not become so was reached all the same (class 23)."""
    if answer.startswith("!") and answer != _REFUSED and not answer.startswith("!23"):
        raise AssertionError(f"tried what cannot be: {answer}")
    return answer not in ("0", _REFUSED)


def _statement(relation: Relation, case: Case, right: str, allowed: tuple[str, ...]) -> str:
    name = relation.name
    if right == "S":
        return f"SELECT {allowed[0]} FROM {name}"
    if right == "D":
        return f"DELETE FROM {name}"
    if right == "U":
        free = [one for one in allowed if one not in SCOPE_COLUMNS] or allowed
        return f"UPDATE {name} SET {free[0]} = DEFAULT"
    values = ", ".join(
        "NULL" if one is None else f"'{one}'"
        for one in (row(relation, case)[column] for column in allowed)
    )
    return f"INSERT INTO {name} ({', '.join(allowed)}) OVERRIDING SYSTEM VALUE VALUES ({values})"


def _spell(relation: Relation, letters: dict[str, str], columns: dict[str, tuple[str, ...]]) -> str:
    return " ".join(
        letter
        if len(columns[right]) == len(relation.columns)
        else f"{letter}({' '.join(columns[right])})"
        for right, letter in letters.items()
    )
