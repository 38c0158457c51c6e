"""Donors' rights: their data, how they are shown, what they agreed to, and to be forgotten."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from deploy.cli import app as command_line
from tests.edge.charity import ADMIN, MARKETING, SCOPES, Charity, charity, people
from tests.edge.scribe import Scribe
from tests.edge.stand import Served, Stand, gift
from tests.edge.test_webhooks import event, send
from workers.retention.journal import Journal
from workers.retention.schedule import Retention

__all__ = ["charity", "people"]

pytestmark = pytest.mark.asyncio


@asynccontextmanager
async def retention(stand: Stand, folder: Path) -> AsyncIterator[tuple[Retention, Any]]:
    async with stand.role_connection("retention") as connection:
        yield Retention("", Journal(folder / "journal")), connection


async def test_a_donor_gets_everything_that_is_kept(
    stand: Stand, edge: Served, charity: Charity
) -> None:
    recorded = await charity.give(edge, display="amount_only")
    await Scribe(stand).record(charity.id)
    payment = "pi_of_" + recorded[4:]
    await stand.fetch(
        "UPDATE donations.donations SET payment_intent = $2 WHERE id = $1", recorded, payment
    )
    await send(edge, event("acct_x", data={"object": {"id": payment, "note": "about Ada"}}))
    waiting = await charity.give(edge)
    donor = await charity.donor(recorded)
    answer = await charity.put(edge, charity.path(donor, "consents/marketing"), MARKETING)
    assert answer.status == 200, answer.body
    found = await edge.get(charity.path(donor, "data"), charity.secret)
    assert found.status == 200, found.body
    told = found.json
    assert [one["donation"] for one in told["gifts"]] == [recorded, waiting]
    first, second = told["gifts"]
    assert first["given_as"] == {
        "name": "Ada Example",
        "email": "Ada@Example.org",
        "display": "amount_only",
    }
    assert (first["display"], second["display"]) == ("amount_only", "public")
    assert [entry["kind"] for entry in first["entries"]] == ["donation"]
    assert {request["route"] for request in first["requests"]} == {"POST /v1/donations"}
    assert told["consents"][0]["is_given"] is True
    assert found.headers["Cache-Control"] == "private, no-store"
    assert "wrapped" not in found.body.decode() and "person_hash" not in found.body.decode()
    stranger = await stand.register(scopes=SCOPES)
    assert (await edge.get(charity.path(donor, "data"), stranger.key.secret)).status == 404
    unknown = charity.path("prof_" + "0" * 26, "data")
    assert (await edge.get(unknown, charity.secret)).code == "donor_not_found"


async def test_a_person_needs_the_role_and_the_second_factor(
    edge: Served, charity: Charity
) -> None:
    donor = await charity.donor(await charity.give(edge))
    path = charity.path(donor, "data")
    for person, status in (
        (ADMIN, 401),
        (f"{ADMIN} strong", 200),
        ("usr_" + "0" * 25 + "2 strong", 404),
    ):
        assert (await edge.get(path, X_Person=person)).status == status, person


async def test_an_erasure_is_asked_for_once_carried_out_and_reaches_everything(
    stand: Stand, edge: Served, charity: Charity, tmp_path: Path
) -> None:
    donation = await charity.give(edge)
    donor = await charity.donor(donation)
    await charity.put(edge, f"/v1/donations/{donation}/consents/marketing", MARKETING)
    path, strong = charity.path(donor, "erasure"), {"X-Person": f"{ADMIN} strong"}
    assert (await edge.get(path, charity.secret)).code == "donor_not_found"
    refused = await edge.ask("POST", path, headers={"X-Person": ADMIN})
    assert refused.code == "step_up_needed"
    key = await edge.ask("POST", path, headers={"Authorization": f"Bearer {charity.secret}"})
    assert key.code == "scope_missing"
    asked = await edge.ask("POST", path, headers=strong)
    assert (asked.status, asked.json["status"], asked.headers["Location"]) == (
        *(202, "requested", path),
    )
    again = await edge.ask("POST", path, headers=strong, json={"basis": "other"})
    assert (again.status, again.json["id"], again.json["basis"]) == (
        *(202, asked.json["id"], "gdpr-17"),
    )
    sealed = (
        "SELECT count(client) AS n FROM audit.pending WHERE resource = ANY($1::text[])"
        " AND organization = $2"
    )
    [before] = await stand.fetch(sealed, [donor, donation], charity.id)
    async with retention(stand, tmp_path) as (process, connection):
        assert await process.forget(connection) == 1
    assert [one.profile for one in Journal(tmp_path / "journal").read()] == [donor]
    [after] = await stand.fetch(sealed, [donor, donation], charity.id)
    assert (before["n"] > 0, after["n"]) == (True, 0)
    for table in ("edge.donor_profiles", "edge.donor_gifts", "edge.consents"):
        rows = await stand.fetch(f"SELECT FROM {table} WHERE organization = $1", charity.id)
        assert rows == [], table
    deeds = await stand.fetch(
        "SELECT actor_kind FROM audit.pending WHERE organization = $1 AND resource = $2"
        " AND action = 'eraseDonor' AND outcome = 'done' ORDER BY position",
        *(charity.id, donor),
    )
    assert [row["actor_kind"] for row in deeds] == ["person", "person", "process"]
    done = await edge.get(path, charity.secret)
    assert (done.status, done.json["status"]) == (200, "done")
    assert (await edge.get(charity.path(donor, "data"), charity.secret)).status == 404
    gone = await charity.put(edge, f"/v1/donations/{donation}/display", {"display": "public"})
    assert gone.code == "gift_without_donor"


async def test_consent_is_no_until_it_is_given_and_can_be_taken_back(
    stand: Stand, edge: Served, charity: Charity
) -> None:
    donation = await charity.give(edge)
    donor = await charity.donor(donation)
    own, staff = (
        f"/v1/donations/{donation}/consents/marketing",
        charity.path(donor, "consents/marketing"),
    )
    never = (await edge.get(own, charity.secret)).json
    assert (never["is_given"], never["recorded_at"]) == (False, None)
    given = (await charity.put(edge, own, MARKETING)).json
    assert (given["is_given"], given["wording"], given["source"]) == (
        *(True, "2026-11.a", "donation_form"),
    )
    assert (await edge.get(staff, charity.secret)).json == given
    taken = await charity.put(edge, staff, {**MARKETING, "is_given": False, "source": "mail"})
    assert taken.json["is_given"] is False
    assert (await edge.get(own, charity.secret)).json["is_given"] is False
    rows = await stand.fetch(
        "SELECT is_given FROM edge.consents WHERE profile = $1 ORDER BY recorded_at", donor
    )
    assert [row["is_given"] for row in rows] == [True, False]
    for wrong in ({}, {**MARKETING, "source": "Ada said so"}):
        assert (await charity.put(edge, own, wrong)).code == "invalid_body"


async def test_a_choice_of_display_changes_at_once_and_never_past_the_ledger(
    stand: Stand, edge: Served, charity: Charity
) -> None:
    shown, hidden = await charity.give(edge), await charity.give(edge, display="anonymous")
    path = f"/v1/donations/{shown}/display"
    early = (await edge.get(path, charity.secret)).json
    assert (early["display"], early["shown_as"]) == ("public", "anonymous")
    await Scribe(stand).record(charity.id)
    for choice in ("public", "amount_only", "anonymous", "public"):
        changed = await charity.put(edge, path, {"display": choice})
        assert (changed.json["display"], changed.json["shown_as"]) == (choice, choice)
    wider = await charity.put(edge, f"/v1/donations/{hidden}/display", {"display": "public"})
    # The gift was recorded for sums only: nobody is named by a later wish.
    assert (wider.json["display"], wider.json["shown_as"]) == ("public", "anonymous")
    stranger = await stand.register(scopes=SCOPES)
    refused = await charity.put(edge, path, {"display": "public"}, stranger.key.secret)
    assert refused.code == "donation_not_found"
    assert (await charity.put(edge, path, {"display": "loud"})).code == "invalid_body"
    nameless = await edge.donate(gift(charity.id, donor=...), charity.secret)
    none = await charity.put(
        edge, f"/v1/donations/{nameless.json['id']}/display", {"display": "public"}
    )
    assert none.code == "gift_without_donor"


async def test_no_public_output_names_or_links_a_donor(
    stand: Stand, edge: Served, charity: Charity, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """C-22: twice anonymous, once with the amount only, in everything that outsiders can get."""
    donations = [
        await charity.give(edge, display=display)
        for display in ("anonymous", "anonymous", "amount_only", "public")
    ]
    scribe = Scribe(stand)
    await scribe.record(charity.id)
    await scribe.publish()
    donor = await charity.donor(donations[0])
    [row] = await stand.fetch(
        "SELECT person_hash, wrapped_key FROM edge.donor_profiles WHERE id = $1", donor
    )
    [slug] = await stand.fetch("SELECT slug FROM edge.organizations WHERE id = $1", charity.id)
    public = f"/v1/public/organizations/{slug['slug']}"
    outputs = [f"{public}", f"{public}/ledger"]
    entries = (await edge.get(f"{public}/ledger")).json["data"]
    outputs += [f"{public}/ledger/entries/{one['id']}" for one in entries]
    outputs += [f"{public}/ledger/entries/{one['id']}/openings" for one in entries]
    outputs += [
        f"{public}/ledger/export?format={name}" for name in ("jsonl", "csv", "beancount", "hledger")
    ]
    needles = [
        *("ada example", "ada@example.org", "ada", "example.org", donor),
        *(row["person_hash"].hex(), row["wrapped_key"].hex()),
    ]
    for path in outputs:
        answer = await edge.get(path)
        assert answer.status == 200, path
        text = answer.body.decode().lower()
        for needle in needles:
            if needle in ("ada", "example.org"):
                continue  # Ids and origins may hold these letters.
            assert needle not in text, (path, needle)
    key = await stand.register(scopes=("donations:read",))
    for donation in donations:
        receipt = await edge.get(f"/v1/donations/{donation}/receipt", key.key.secret)
        assert receipt.status == 404
    logged = capfdbinary.readouterr().out.decode().lower()
    assert "ada example" not in logged and "ada@example.org" not in logged and donor not in logged
    messages = await stand.fetch(
        "SELECT topic, value FROM messages.outbox WHERE topic <> 'donations.requested.v1'"
    )
    assert not [one for one in messages if b"ada@" in bytes(one["value"]).lower()]


async def test_the_command_writes_the_same_file(
    stand: Stand, edge: Served, charity: Charity, tmp_path: Path
) -> None:
    donor = await charity.donor(await charity.give(edge))
    await Scribe(stand).record(charity.id)
    path = tmp_path / "ada.json"
    arguments = ["donor", "export", "--organization", charity.id, "--donor", donor]
    settings = {"AMPLY_URL": edge.url, "AMPLY_API_KEY": charity.secret}

    def run() -> Any:
        return CliRunner().invoke(command_line, [*arguments, "--output", str(path)], env=settings)

    result = await asyncio.to_thread(run)
    assert result.exit_code == 0, result.output
    told = json.loads(path.read_text())
    assert (told["donor"], path.stat().st_mode & 0o777) == (donor, 0o600)
    assert told["gifts"][0]["given_as"]["name"] == "Ada Example"
