"""Who is shown what of an entry: every visibility, every change, every reader, before and after."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from edge.ledger.openings import openings_shown
from edge.organizations.service import OrganizationError
from edge.times import spell_time
from ledger.entry import Request
from ledger.visibility import VISIBILITIES, Label, Reader, Role, details_of, is_wider
from tests.edge.scribe import Scribe
from tests.edge.society import OPENED, Society, advance, business_now
from tests.edge.stand import Served, Stand
from tests.edge.test_public import slug_of, verify_export
from tests.edge.test_reading import allow, another_key
from tests.ledger.making import donation, name, postings, visibility_change

pytestmark = pytest.mark.asyncio

LONG_AGO = "2020-01-01T00:00:00.000000Z"


@dataclass(frozen=True)
class Case:
    """An entry of an organization with its own label, and perhaps a change."""

    organization: str
    own: Label
    change: Label | None

    @property
    def id(self) -> str:
        return name("ent", self)

    def opens(self, *, is_over: bool) -> bool:
        """What the public is given, in the words of the brief rather than of the code."""
        shown = [label for label in (self.own, self.change) if label is not None]
        full = any(label.visibility == "public_full" for label in shown)
        return full or (is_over and any(label.visibility == "delayed_public" for label in shown))


def cases(organization: str, day: str) -> list[Case]:
    """Every label, alone and with every change that the writer takes."""
    labels = [
        Label(visibility, day if visibility == "delayed_public" else None)
        for visibility in VISIBILITIES
    ]
    pairs = [(own, new) for own in labels for new in [None, *labels]]
    return [Case(organization, own, new) for own, new in pairs if new is None or is_wider(new, own)]


def requests_of(society: Society, given: list[Case]) -> list[Request]:
    requests = []
    for case in given:
        visibility, public_after = case.own
        requests.append(society.gift(case, visibility=visibility, public_after=public_after))
        if case.change is not None:
            details = details_of(case.change)
            requests.append(visibility_change(society.id, f"{case}+", case.id, **details))
    return requests


async def listed(edge: Served, path: str, secret: str | None = None) -> dict[str, Any]:
    """Every entry on all pages, by id."""
    found: dict[str, Any] = {}
    cursor = ""
    while True:
        answer = await edge.get(f"{path}?limit=7{cursor}", secret)
        assert answer.status == 200, answer.body
        found |= {entry["id"]: entry for entry in answer.json["data"]}
        if not answer.json["has_more"]:
            return found
        cursor = f"&cursor={answer.json['next_cursor']}"


async def test_the_whole_matrix_before_and_after_the_day(
    stand: Stand, edge: Served, society: Society, tmp_path: Any
) -> None:
    given = cases(society.id, spell_time(await business_now(stand) + timedelta(days=10)))
    assert len(given) == 4 + 6
    await Scribe(stand).append(requests_of(society, given))
    await Scribe(stand).publish()
    outsider = await stand.register()
    readers = {
        "reader": await society.key("ledger:read"),
        "foreign insider": await society.key(
            "ledger:read", "ledger:read_internal", owner=outsider.id
        ),
        "insider": await society.key("ledger:read", "ledger:read_internal"),
    }
    for is_over in (False, True):
        if is_over:
            await advance(stand, days=11)
        entries = {who: await listed(edge, society.member, key) for who, key in readers.items()}
        entries["public"] = await listed(edge, society.public)
        export = await edge.get(f"{society.public}/export")
        for case in given:
            shown_in_log = case.own.visibility == "public_full"
            for who, found in entries.items():
                opened = who == "insider" or case.opens(is_over=is_over)
                expected = OPENED if opened and not shown_in_log else []
                assert sorted(found[case.id]["openings"]) == expected, (who, case, is_over)
                newest = case.change or case.own
                label = (found[case.id]["visibility"], found[case.id]["public_after"])
                assert label == newest
            own = await edge.get(f"{society.public}/entries/{case.id}/openings")
            assert own.json["openings"] == entries["public"][case.id]["openings"]
            one = await edge.get(f"{society.member}/entries/{case.id}", readers["insider"])
            assert one.json == entries["insider"][case.id]
        # The entries themselves are the same for all, and the export opens what the page opens.
        assert len({tuple(e["entry"] for e in found.values()) for found in entries.values()}) == 1
        path = tmp_path / f"{is_over}.jsonl"
        path.write_bytes(export.body)
        await verify_export(path, society.id)
        opened_lines = export.body.count(b'"openings":{"details"')
        public = entries["public"].values()
        assert opened_lines == sum(bool(entry["openings"]) for entry in public)
    # Live, nothing but the real time opens an entry, whatever a sandbox's clock said.
    async with stand.serve(environment="live") as live:
        found = await listed(live, society.public)
        for case in given:
            opened = case.opens(is_over=False) and case.own.visibility != "public_full"
            assert bool(found[case.id]["openings"]) is opened, case


async def test_an_auditor_and_a_donor_are_given_all_but_donors(
    stand: Stand, society: Society
) -> None:
    day = spell_time(await business_now(stand) + timedelta(days=10))
    given = cases(society.id, day)
    await Scribe(stand).append(requests_of(society, given))
    async with stand.edge_connection() as connection, connection.transaction():
        await connection.execute("SELECT set_config('app.organizations', $1, true)", society.id)
        rows = await connection.fetch(
            "SELECT id, bytes FROM read.entries WHERE organization = $1", society.id
        )
        for role in (Role.AUDITOR, Role.DONOR):
            shown = await openings_shown(connection, society.id, rows, Reader(role, day))
            sealed = [case.id for case in given if case.own.visibility != "public_full"]
            assert {entry: sorted(sections) for entry, sections in shown.items()} == dict.fromkeys(
                sealed, OPENED
            )
        await connection.execute("SELECT set_config('app.organizations', 'org_other', true)")
        assert await openings_shown(connection, society.id, rows, Reader(role, day)) == {}


async def test_a_key_of_single_funds_needs_the_right_on_all_funds_of_an_entry(
    stand: Stand, edge: Served, society: Society
) -> None:
    euro, dollar = society.funds["EUR"], society.funds["USD"]
    both = postings(100, euro) + postings(100, dollar, "USD")
    await Scribe(stand).append(
        [
            society.gift("euro", visibility="internal_only"),
            society.gift("dollar", visibility="internal_only", postings=postings(7, dollar, "USD")),
            society.gift("both", visibility="internal_only", postings=both),
            society.gift("open", visibility="delayed_public", public_after=LONG_AGO),
        ]
    )
    scopes = ("ledger:read", "ledger:read_internal")
    for funds, expected in (
        ((euro,), {"euro", "open"}),
        ((dollar,), {"dollar", "open"}),
        ((euro, dollar), {"euro", "dollar", "both", "open"}),
        ((), {"euro", "dollar", "both", "open"}),
    ):
        found = await listed(edge, society.member, await society.key(*scopes, funds=funds))
        gifts = ("euro", "dollar", "both", "open")
        assert {of for of in gifts if found[name("ent", of)]["openings"]} == expected
    other = await stand.register()
    with pytest.raises(OrganizationError, match="no fund"):
        await society.key(*scopes, funds=(other.funds["EUR"],))


async def test_a_relationship_without_the_scope_opens_nothing_and_the_reverse(
    stand: Stand, edge: Served, society: Society
) -> None:
    await Scribe(stand).append([society.gift("one", visibility="internal_only")])
    entry = f"{society.member}/entries/{name('ent', 'one')}"
    secret, key = await another_key(stand, society.id, "ledger:read")
    await allow(stand, society.id, "scope_ledger_read", key)
    assert (await edge.get(entry, secret)).json["openings"] == {}
    scopes = ("ledger:read", "ledger:read_internal")
    secret, _ = await another_key(stand, society.id, *scopes, is_told=False)
    assert (await edge.get(entry, secret)).json["openings"] == {}
    secret, _ = await another_key(stand, society.id, "donations:read", "ledger:read_internal")
    refused = await edge.get(entry, secret)
    assert (refused.status, refused.code) == (403, "scope_missing")


async def test_an_organization_has_no_entries_of_another(
    stand: Stand, edge: Served, society: Society
) -> None:
    other = await stand.register()
    await Scribe(stand).record(other.id)
    await Scribe(stand).append([donation(other.id, f"of {other.id}", visibility="internal_only")])
    foreign = name("ent", f"of {other.id}")
    secret = await society.key("ledger:read", "ledger:read_internal")
    for path, key in (
        (f"{society.public}/entries/{foreign}", None),
        (f"{society.public}/entries/{foreign}/openings", None),
        (f"{society.member}/entries/{foreign}", secret),
        (f"{society.public}/entries/ent_", None),
    ):
        answer = await edge.get(path, key)
        assert (answer.status, answer.code) == (404, "entry_not_found")
    other_slug = await slug_of(stand, other.id)
    answer = await edge.get(f"/v1/organizations/{other_slug}/ledger/entries/{foreign}", secret)
    assert (answer.status, answer.json["openings"]) == (200, {})
    hidden = await stand.register(with_permissions=False)
    for slug in (await slug_of(stand, hidden.id), "nobody", hidden.id):
        answer = await edge.get(f"/v1/organizations/{slug}/ledger", secret)
        assert (answer.status, answer.code) == (404, "organization_not_found")
