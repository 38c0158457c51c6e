"""Who may do what, route by route: the table holds, is whole, and notices every check left out."""

from collections.abc import Iterator

import pytest

from edge.access import Access
from edge.operations import OPERATIONS
from edge.organizations.relationships import PUBLISHABLE_SCOPES
from tests.authorization.cast import COLUMNS, KEYS, PEOPLE, Cast
from tests.authorization.lab import Lab, batched
from tests.authorization.schema import SCHEMA, mutants, needed_for
from tests.authorization.table import guarded, read_table
from tests.authorization.walking import AT_ONCE, BREAKAGE, Check, differences, served
from tests.edge.stand import Served, Stand

ROWS = read_table()
ACCESS = {
    (one.method.upper(), one.path): one.access
    for one in OPERATIONS
    if isinstance(one.access, Access)
}
#: What a service asks by itself, for the organization of the gift.
OF_SERVICES = {
    ("POST", "/v1/donations"): "create_donation_by_api",
    ("POST", "/v1/donations/{donation}/refunds"): "issue_refund",
}


#: Where a service asks whether who collected a gift for others may collect still.
OF_COLLECTORS = {
    ("POST", "/v1/donations/{donation}/attempts"),
    ("POST", "/v1/donations/{donation}/cancel"),
}

#: Operands that nobody in the table depends on alone: its keys have both scopes of a pair, nobody
#: is both auditor and blocked, and what an entry shows is no status. The validation file holds each
#: of them (test_schema.py).
HELD_ELSEWHERE = {
    "organization#is_auditor without blocked",
    "organization#is_board without blocked",
    *(
        f"organization#view_{many} without scope_{one}_{what}"
        for many, one, writes in (
            ("funds", "fund", "manage"),
            ("projects", "project", "manage"),
            ("campaigns", "campaign", "manage"),
            ("bookings", "booking", "record"),
            ("stripe_account", "account", "manage"),
        )
        for what in ("read", writes)
    ),
    *(
        f"organization#view_internal_ledger without {one}"
        for one in ("is_finance", "is_auditor", "is_board", "scope_ledger_read")
    ),
}


@pytest.fixture(autouse=True)
def nothing_is_left_out() -> Iterator[None]:
    yield
    BREAKAGE.route = BREAKAGE.check = None


def test_every_route_that_asks_who_comes_has_its_rows() -> None:
    missing = set(guarded()) - {(row.method, row.route) for row in ROWS}
    assert not missing, f"say in table.csv who may use {sorted(missing)}"
    for place, access in ACCESS.items():
        organizations = [row.organization for row in ROWS if (row.method, row.route) == place]
        wanted = ["any"] if access.on in ("caller", "platform") else ["own", "other"]
        assert organizations[: len(wanted)] == wanted, place
    assert {(row.method, row.route) for row in ROWS} <= set(guarded()), "routes that are gone"


async def test_everybody_gets_what_the_table_says(stand: Stand, cast: Cast) -> None:
    async with served(stand) as running:
        cells = [(row, column) for row in ROWS for column in COLUMNS]
        found = await differences(running, cast, cells)
    assert not found, "\n".join(found)


async def test_no_check_of_any_route_can_be_left_out_unnoticed(stand: Stand, cast: Cast) -> None:
    unnoticed = []
    async with served(stand) as running:
        for place, access in ACCESS.items():
            for check in checks_of(place, access):
                BREAKAGE.route, BREAKAGE.check = place, check
                if not await is_noticed(running, cast, place):
                    unnoticed.append((*place, check))
    assert not unnoticed, "\n".join(map(str, unnoticed))


def checks_of(place: tuple[str, str], access: Access) -> Iterator[Check]:
    # Where no key is let in whatever its scopes, and a person's session has them all.
    if not access.is_for_persons and access.on != "platform":
        yield "scope"
    if access.permission is not None:
        yield "permission"
    if access.needs_step_up:
        yield "step_up"
    if place in OF_SERVICES or place in OF_COLLECTORS:
        yield "service"
    # Where a key for web pages is not stopped by its scopes already.
    if access.scope in PUBLISHABLE_SCOPES and not access.is_publishable:
        yield "publishable"


async def is_noticed(running: Served, cast: Cast, place: tuple[str, str]) -> bool:
    """Whether a refusal is gone; the first one is enough."""
    rows = [row for row in ROWS if (row.method, row.route) == place]
    refused = [(row, column) for row in rows for column in COLUMNS if not row.admits(column)]
    for some in batched(refused, AT_ONCE):
        if await differences(running, cast, some):
            return True
    return False


def decisions() -> dict[tuple[str, str, str], bool]:
    """What SpiceDB must say for the table to hold: by permission, organization and column."""
    said = {}
    for row in ROWS:
        place = row.method, row.route
        permission = OF_SERVICES.get(place) or ACCESS[place].permission
        # `any`: it is asked about Amply itself, not about an organization.
        if permission is None or row.organization == "any":
            continue
        for column in COLUMNS:
            # Keys ask about their own organization; the others are stopped before SpiceDB is asked.
            is_asked = column in (*PEOPLE, "key", "key_not_told")
            is_refused_before = row.organization == "other" or ACCESS[place].is_for_persons
            is_asked = is_asked and not (column in KEYS and is_refused_before)
            if column == "publishable_key":
                is_asked = ACCESS[place].is_publishable and row.organization != "other"
            if column == "collector_key":  # What it collected it sees without SpiceDB.
                is_asked = place == ("POST", "/v1/donations")
            if is_asked and not (column == "weak_owner" and ACCESS[place].needs_step_up):
                said[permission, row.organization, column] = row.admits(column)
    return said


async def test_no_operand_of_a_permission_in_the_table_can_be_left_out_unnoticed(
    lab: Lab, cast: Cast
) -> None:
    said = decisions()
    names = needed_for({permission for permission, _, _ in said})
    broken = [one for one in mutants() if one.definition in names.get(one.permission, ())]
    lines = {
        key: f"organization:{cast.places[key[1]].id}#{key[0]}@{cast.subject(key[2], key[1])}"
        for key in said
    }
    unnoticed = []
    wanted = {lines[key]: answer for key, answer in said.items()}
    async with lab.open() as session:
        await session.write_schema(SCHEMA)
        await session.touch(list(cast.relationships()))
        assert dict(zip(said, await session.check(list(lines.values())), strict=True)) == said
        for mutant in broken:
            await session.write_schema(mutant.schema)
            nearest_first = sorted(wanted, key=mutant.is_about, reverse=True)
            if not await session.differs({line: wanted[line] for line in nearest_first}):
                unnoticed.append(mutant.name)
    assert set(unnoticed) == HELD_ELSEWHERE
