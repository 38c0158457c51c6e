"""One row of every table, so that a refusal is a refusal and not an empty table.

The database is a test's own: conditions of tables are dropped and triggers are off, so that a row
may be anything. A text is the name of its case in every column, so that rows of two tables join.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from tests.isolation.relations import Relation

#: What policies look at.
SCOPE_COLUMNS: Final = frozenset(
    ("organization", "id", "person", "holder", "collector", "recipient", "token_hash")
)
OURS: Final = "ours"
NOWHERE: Final = "nowhere"


@dataclass(frozen=True)
class Case:
    """A row that is somebody's for another reason than its organization.

    `values` make it theirs when the transaction names `scope`; `label` goes into the matrix.
    """

    label: str
    scope: str
    values: dict[str, str | None] = field(default_factory=dict)


MAIN: Final = Case("", OURS)

#: Policies that look at something other than the table's own organization.
CASES: Final[dict[str, tuple[Case, ...]]] = {
    "audit.pending": (Case("of the platform", NOWHERE, {"organization": "platform"}),),
    "edge.api_keys": (Case("of a collector", "shop", {"organization": None, "collector": "shop"}),),
    "edge.bookings": (Case("as recipient", "recipient", {"organization": "giver"}),),
    "edge.collections": (Case("as collector", "collector", {"organization": "allowing"}),),
    "edge.invitations": (
        Case(
            "by its secret",
            "ab" * 32,
            {"organization": "inviting", "token_hash": r"\x" + "ab" * 32},
        ),
    ),
    "edge.members": (Case("of oneself", "member", {"organization": "employing"}),),
    "edge.refund_requests": (Case("as recipient", "recipient", {"organization": "giver"}),),
    "reconciliation.swept_events": (Case("of no organization", NOWHERE, {"organization": None}),),
}

#: What views look for.
VALUES: Final = {
    ("donations.donations", "status"): "captured",
    ("donations.refunds", "status"): "succeeded",
    ("edge.invitations", "status"): "open",
    ("ledger.entries", "bytes"): r"\x"
    + b'{"money":{"postings":[{"account":"Assets:Stripe","currency":"EUR","amount":1}]}}'.hex(),
    ("ledger.transactions", "kind"): "offline_donation",
    ("ledger.transactions", "type"): "donation",
    ("payments.attempts", "state"): "processing",
    ("payments.refunds", "status"): "pending",
    ("payouts.payouts", "status"): "pending",
    ("permissions.relationships", "subject"): "user:usr_ours",
}

_LOOSEN: Final = """
    DO $$
    DECLARE
        one record;
    BEGIN
        FOR one IN SELECT conrelid::regclass AS on_table, conname FROM pg_constraint
            WHERE contype = 'c' AND conislocal AND conrelid <> 0
                AND connamespace::regnamespace::text !~ '^(pg_|information_)'
        LOOP
            EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', one.on_table, one.conname);
        END LOOP;
        FOR one IN SELECT oid::regclass AS on_table FROM pg_class WHERE relkind IN ('r', 'p')
            AND relnamespace::regnamespace::text !~ '^(pg_|information_)'
        LOOP
            EXECUTE format('ALTER TABLE %s DISABLE TRIGGER ALL', one.on_table);
        END LOOP;
    END
    $$
"""


def cases(relation: Relation) -> tuple[Case, ...]:
    """The rows of a table that differ in whose they are."""
    return (MAIN, *CASES.get(relation.name, ()))


async def seed(superuser: Any, known: list[Relation]) -> None:
    """Fill every table."""
    await superuser.execute(_LOOSEN)
    for relation in known:
        if relation.is_view or relation.parent:
            continue
        names = ", ".join(relation.columns)
        values = ", ".join(f"${n}::text::{kind}" for n, kind in enumerate(relation.types, 1))
        for case in cases(relation):
            await superuser.execute(
                f"INSERT INTO {relation.name} ({names}) OVERRIDING SYSTEM VALUE VALUES ({values})"
                " ON CONFLICT DO NOTHING",
                *row(relation, case).values(),
            )


def row(relation: Relation, case: Case) -> dict[str, str | None]:
    """A value for each column, as text."""
    number = cases(relation).index(case)
    found: dict[str, str | None] = {}
    for name, kind in zip(relation.columns, relation.types, strict=True):
        value = VALUES.get((relation.name, name), _dummy(kind, case, number))
        found[name] = case.values.get(name, value)
    return found


def _dummy(kind: str, case: Case, number: int) -> str:
    if kind.endswith("[]"):
        return "{}"
    make = _DUMMIES.get(kind)
    return make(number) if make else case.scope


_DUMMIES: Final[dict[str, Callable[[int], str]]] = {
    "boolean": lambda number: "true",
    "bytea": lambda number: r"\x" + (b"{}" + b" " * number).hex(),
    "date": lambda number: f"2026-01-{number + 1:02}",
    "interval": lambda number: f"{number + 1} days",
    "json": lambda number: "{}",
    "jsonb": lambda number: "{}",
    "timestamp with time zone": lambda number: "now",
    "uuid": lambda number: f"{number:032x}",
    **dict.fromkeys(
        ("smallint", "integer", "bigint", "numeric", "double precision", "real"),
        lambda number: str(number + 1),
    ),
}
