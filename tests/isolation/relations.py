"""What there is in the database, by its catalog."""

from dataclasses import dataclass
from typing import Any, Final

_OURS: Final = "!~ '^(pg_|information_schema|trying)'"
_RELATIONS: Final = f"""
    SELECT n.nspname || '.' || quote_ident(c.relname) AS name, c.relkind = 'v' AS is_view,
        c.relrowsecurity AND c.relforcerowsecurity AS is_tenant,
        (SELECT inhparent::regclass::text FROM pg_inherits WHERE inhrelid = c.oid) AS parent,
        array(SELECT quote_ident(attname) FROM pg_attribute
            WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped ORDER BY attnum) AS columns,
        array(SELECT format_type(atttypid, NULL) FROM pg_attribute
            WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped ORDER BY attnum) AS types
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname {_OURS}
    ORDER BY name
"""


@dataclass(frozen=True)
class Relation:
    """A table or view; a partition names its parent. A tenant table has forced row security."""

    name: str
    is_view: bool
    is_tenant: bool
    parent: str | None
    columns: tuple[str, ...]
    types: tuple[str, ...]


async def relations(connection: Any) -> list[Relation]:
    """All tables and views that are the platform's."""
    rows = await connection.fetch(_RELATIONS)
    return [
        Relation(**{**row, "columns": tuple(row["columns"]), "types": tuple(row["types"])})
        for row in rows
    ]
