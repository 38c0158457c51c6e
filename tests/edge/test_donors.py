"""Donors over HTTP: who gave and what, for those who may see it, each read noted."""

from typing import Any

import pytest

from tests.edge.office import Office
from tests.edge.scribe import Scribe
from tests.edge.stand import gift, until
from tests.edge.test_bookings import book, simple

pytestmark = pytest.mark.asyncio

ADA = {"name": "Ada Example", "email": "Ada@Example.org", "display": "public"}


async def give(office: Office, **changes: Any) -> str:
    answer = await office.post("/v1/donations", gift(office.society.id, **changes))
    assert answer.status == 202
    return str(answer.json["id"])


async def test_a_donor_is_one_person_with_gifts_of_both_kinds(office: Office) -> None:
    first = await give(office, donor=ADA)
    again = await give(office, donor={**ADA, "email": "ada@example.ORG", "display": "anonymous"})
    await give(office, donor={"name": "Bob"})
    await give(office, donor=...)
    await Scribe(office.society.stand).record(office.society.id)
    cash = await book(office, simple(office, "offline_donation", 300, method="cash", donor=ADA))
    assert "donor" not in cash["terms"]
    [asked] = [
        row
        for row in await office.society.stand.messages(office.society.id, "entries.requested.v1")
        if b"offline" in row["value"]
    ]
    assert b"Ada" not in asked["value"] and b"example" not in asked["value"].lower()
    await office.record()
    donors = await office.everything("donors", limit=1)
    assert [one["person"]["name"] for one in donors] == ["Ada Example", "Bob"]
    ada = donors[0]
    assert ada["given"] == [{"currency": "EUR", "gifts": 3, "amount_minor": 5300}]
    assert (await office.get(f"donors/{ada['id']}")).json == ada
    gifts = await office.everything(f"donors/{ada['id']}/gifts")
    assert [(one["is_offline"], one["amount_minor"], one["status"]) for one in gifts] == [
        (False, 2500, "recorded"),
        (False, 2500, "recorded"),
        (True, 300, "recorded"),
    ]
    assert [one["id"] for one in gifts[:2]] == [first, again]
    [found] = await office.everything("donors?email=ADA%40example.org")
    assert found["id"] == ada["id"]
    assert await office.everything("donors?email=nobody%40example.org") == []


async def test_names_are_for_those_who_may_and_each_read_is_noted(office: Office) -> None:
    await give(office, donor=ADA)
    await Scribe(office.society.stand).record(office.society.id)
    [ada] = (await office.get("donors")).json["data"]
    await office.get(f"donors/{ada['id']}")
    for secret, expected in (
        (await office.society.key("donations:read", "funds:read"), (403, "scope_missing")),
        (
            await office.society.key(
                "donors:read", owner=(await office.society.stand.register()).id
            ),
            (404, "organization_not_found"),
        ),
    ):
        for path in ("donors", f"donors/{ada['id']}", f"donors/{ada['id']}/gifts"):
            answer = await office.get(path, secret=secret)
            assert (answer.status, answer.code) == expected
            assert b"Ada" not in answer.body

    async def noted() -> Any:
        rows = await office.society.stand.fetch(
            "SELECT action, resource FROM audit.pending WHERE organization = $1"
            " AND outcome = 'read'",
            office.society.id,
        )
        return {tuple(row) for row in rows} >= {
            ("listDonors", "donors"),
            ("showDonor", ada["id"]),
        }

    await until(noted, "both reads are noted")


async def test_a_forgotten_donor_is_nobody(office: Office) -> None:
    await give(office, donor=ADA)
    await Scribe(office.society.stand).record(office.society.id)
    cash = simple(office, "offline_donation", 300, method="cash", donor=ADA)
    booking = await book(office, cash, key="cash")
    assert await book(office, cash, key="cash") == booking
    hashes = "SELECT fingerprint FROM edge.requests WHERE idempotency_key = 'cash'"
    [before] = await office.society.stand.fetch(hashes)
    [ada] = (await office.get("donors")).json["data"]
    await office.society.stand.fetch(
        "SELECT edge.forget_donor($1, $2, '{}')", office.society.id, ada["id"]
    )
    assert (await office.get("donors")).json["data"] == []
    [after] = await office.society.stand.fetch(hashes)
    assert after["fingerprint"] != before["fingerprint"], "what was hashed of the request is gone"
    for end in ("", "/gifts"):
        answer = await office.get(f"donors/{ada['id']}{end}")
        assert (answer.status, answer.code) == (404, "donor_not_found")
