"""What a key sees of its gifts: state, waiting, client secrets, receipts."""

import asyncio
import base64
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest

from contracts.permissions import RelationshipChange
from edge.organizations.service import create_api_key
from ledger import keys
from tests.edge.scribe import VKEY, Scribe
from tests.edge.stand import Answer, Served, Stand, gift, until

pytestmark = pytest.mark.asyncio


@pytest.fixture
def scribe(stand: Stand) -> Scribe:
    return Scribe(stand)


async def another_key(
    stand: Stand, organization: str, *scopes: str, is_told: bool = True
) -> tuple[str, str]:
    """A further key of the organization: secret and id."""
    async with stand.edge_connection() as connection:
        key = await create_api_key(
            connection,
            master_key=stand.settings.master_key,
            environment="test",
            organization=organization,
            name="another",
            scopes=scopes,
        )
    if is_told:
        await stand.apply_permissions(organization)
    return key.secret, key.id


async def allow(stand: Stand, organization: str, relation: str, key: str) -> None:
    """One relationship between an organization and an API key."""
    change = RelationshipChange(
        operation="touch",
        resource=f"organization:{organization}",
        relation=relation,
        subject=f"api_key:{key}",
    )
    await stand.change_permissions((change,))


async def project(stand: Stand, organization: str, donation: str, status: str, **more: Any) -> None:
    """What workers/donations would write, and say."""
    columns = {"failure_code": None, "decline_code": None, "payment_intent": None, **more}
    await stand.fetch(
        "INSERT INTO donations.donations (organization, id, status, amount_minor,"
        " charge_amount_minor, currency, fund, covers_fee, failure_code, decline_code,"
        " payment_intent, created_at, updated_at) VALUES ($1, $2, $3, 2500, 2500, 'EUR', 'fund_'"
        " || repeat('0', 26), false, $4, $5, $6, now(), now()) ON CONFLICT (organization, id)"
        " DO UPDATE SET status = excluded.status",
        *(organization, donation, status, *columns.values()),
    )
    await stand.fetch("SELECT pg_notify('donations', $1)", donation)


async def verified(receipt: bytes, folder: Path) -> None:
    """`amply-verify receipt` in a process of its own says verified."""
    path = folder / "receipt.tlog-proof"
    path.write_bytes(receipt)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "amply_verify", "receipt", str(path), "--key", VKEY,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    output, errors = await process.communicate()
    assert process.returncode == 0, (output, errors)


async def test_a_gift_is_there_right_after_its_post(stand: Stand, edge: Served) -> None:
    registered = await stand.register()
    posted = await edge.donate(gift(registered.id), registered.key.secret)
    shown = await edge.get(posted.headers["Location"], registered.key.secret)
    assert (shown.status, shown.json) == (200, posted.json)
    assert shown.json["status"] == "pending"
    tag = shown.headers["ETag"]
    again = await edge.get(posted.headers["Location"], registered.key.secret, If_None_Match=tag)
    assert (again.status, again.body, again.headers["ETag"]) == (304, b"", tag)


async def test_only_keys_of_the_organization_see_a_gift(stand: Stand, edge: Served) -> None:
    registered, stranger = await stand.register(), await stand.register()
    location = (await edge.donate(gift(registered.id), registered.key.secret)).headers["Location"]
    other, _ = await another_key(stand, registered.id, "donations:read")
    writer, _ = await another_key(stand, registered.id, "donations:write")
    for path in (location, f"{location}/receipt"):
        seen = await edge.get(path, stranger.key.secret)
        assert (seen.status, seen.code) == (404, "donation_not_found")
        assert (await edge.get(path, writer)).code == "scope_missing"
        assert (await edge.get(path)).code == "unauthenticated"
    assert (await edge.get(location, other)).status == 200
    nonsense = await edge.get("/v1/donations/don_1", registered.key.secret)
    assert (nonsense.status, nonsense.code) == (404, "donation_not_found")


async def test_a_collector_sees_what_it_collected(stand: Stand, edge: Served) -> None:
    shop, charity = await stand.register(), await stand.register()
    await allow(stand, charity.id, "scope_donation_create", shop.key.id)
    posted = await edge.donate(gift(charity.id), shop.key.secret)
    own = await edge.donate(gift(charity.id), charity.key.secret)
    assert (posted.status, own.status) == (202, 202)
    location = posted.headers["Location"]
    assert (await edge.get(location, shop.key.secret)).json["organization"] == charity.id
    await project(stand, charity.id, posted.json["id"], "processing")
    for secret in (shop.key.secret, charity.key.secret):
        assert (await edge.get(location, secret)).json["status"] == "processing"
    assert (await edge.get(own.headers["Location"], shop.key.secret)).status == 404


@pytest.mark.parametrize("status", ["failed", "requires_action", "canceled", "expired", "recorded"])
async def test_waiting_ends_when_the_state_is_settled(
    stand: Stand, edge: Served, status: str
) -> None:
    registered = await stand.register()
    posted = await edge.donate(gift(registered.id), registered.key.secret)
    location, donation = posted.headers["Location"], posted.json["id"]
    waiting = asyncio.create_task(
        edge.get(location, registered.key.secret, Prefer="respond-async, wait=25")
    )
    await project(stand, registered.id, donation, "processing")
    await project(stand, registered.id, donation, status)
    async with asyncio.timeout(20):
        answer = await waiting
    assert answer.json["status"] == status
    assert answer.headers["Preference-Applied"] == "wait=25"


async def test_waiting_ends_with_its_time(stand: Stand, edge: Served) -> None:
    registered = await stand.register()
    location = (await edge.donate(gift(registered.id), registered.key.secret)).headers["Location"]
    answer = await edge.get(location, registered.key.secret, Prefer="wait=1")
    assert (answer.status, answer.json["status"]) == (200, "pending")
    longest = await edge.get(
        "/v1/donations/don_" + "0" * 26, registered.key.secret, Prefer="wait=9999"
    )
    assert longest.status == 404  # Nothing to wait for.


async def test_a_failure_says_why(stand: Stand, edge: Served) -> None:
    registered = await stand.register()
    posted = await edge.donate(gift(registered.id), registered.key.secret)
    codes = {"failure_code": "card_declined", "decline_code": "insufficient_funds"}
    await project(stand, registered.id, posted.json["id"], "failed", **codes)
    shown = await edge.get(posted.headers["Location"], registered.key.secret)
    assert shown.json["failure"] == {
        "code": "card_declined",
        "decline_code": "insufficient_funds",
        "minimum_minor": None,
        "minimum_currency": None,
    }
    receipt = await edge.get(posted.headers["Location"] + "/receipt", registered.key.secret)
    assert (receipt.status, receipt.code) == (409, "no_receipt")


async def test_a_client_secret_is_for_its_creator_only(stand: Stand, edge: Served) -> None:
    registered = await stand.register()
    other, _ = await another_key(stand, registered.id, "donations:read")
    posted = await edge.donate(gift(registered.id), registered.key.secret)
    donation = posted.json["id"]
    key = keys.derive(stand.settings.master_key, "client-secret")
    await stand.fetch(
        "INSERT INTO payments.client_secrets (organization, donation, ciphertext)"
        " VALUES ($1, $2, $3)",
        *(registered.id, donation, keys.encrypt(key, b"pi_1_secret_2", donation.encode())),
    )
    await project(stand, registered.id, donation, "requires_action")
    shown = await edge.get(posted.headers["Location"], registered.key.secret)
    assert shown.json["next_action"]["client_secret"] == "pi_1_secret_2"
    assert (await edge.get(posted.headers["Location"], other)).json["next_action"] is None
    await project(stand, registered.id, donation, "processing")
    later = await edge.get(posted.headers["Location"], registered.key.secret)
    assert later.json["next_action"] is None


async def test_a_receipt_is_refused_until_a_checkpoint_covers_it_and_verifies_then(
    stand: Stand, edge: Served, scribe: Scribe, tmp_path: Path
) -> None:
    registered = await stand.register()
    body = gift(registered.id, donor={"name": "Ada", "email": "a@b.org", "display": "anonymous"})
    posted = await edge.donate(body, registered.key.secret)
    path = posted.headers["Location"] + "/receipt"

    async def receipt(
        query: str = "", secret: str = registered.key.secret, **headers: str
    ) -> Answer:
        return await edge.get(path + query, secret, **headers)

    early = await receipt()
    assert (early.status, early.code, early.headers["Retry-After"]) == (409, "not_yet_covered", "1")
    waiting = asyncio.create_task(receipt(Prefer="wait=25"))
    await scribe.record(registered.id)
    assert (await receipt()).code == "not_yet_covered"
    await scribe.publish()
    async with asyncio.timeout(20):
        full = await waiting
    assert full.status == 200
    assert full.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert f"{posted.json['id']}.tlog-proof" in full.headers["Content-Disposition"]
    assert "no-store" in full.headers["Cache-Control"]
    await verified(full.body, tmp_path)
    assert opened(full) == {"donor", "money", "details"}
    bare = await receipt("?openings=none")
    await verified(bare.body, tmp_path)
    assert opened(bare) == set()
    # Without the scope for donors it proves the gift, not whose it is.
    secret, identifier = await another_key(stand, registered.id, "donations:read")
    await allow(stand, registered.id, "scope_donor_read", identifier)
    partial = await receipt(secret=secret)
    await verified(partial.body, tmp_path)
    assert opened(partial) == {"money", "details"}
    # Nor is the scope enough where SpiceDB was not told.
    secret, identifier = await another_key(
        stand, registered.id, "donations:read", "donors:read", is_told=False
    )
    await allow(stand, registered.id, "scope_donation_read", identifier)
    assert opened(await receipt(secret=secret)) == {"money", "details"}
    await allow(stand, registered.id, "scope_donor_read", identifier)

    async def shows_donor() -> bool:
        return opened(await receipt(secret=secret)) == {"donor", "money", "details"}

    await until(shows_donor, "the refusal is forgotten")
    assert (await receipt("?openings=some")).code == "query_not_accepted"


def opened(answer: Answer) -> set[str]:
    extra = answer.body.split(b"\n")[1].removeprefix(b"extra ")
    return set(orjson.loads(base64.b64decode(extra))["openings"])


async def test_a_forgotten_donor_leaves_a_receipt_that_verifies(
    stand: Stand, edge: Served, scribe: Scribe, tmp_path: Path
) -> None:
    registered = await stand.register()
    posted = await edge.donate(gift(registered.id), registered.key.secret)
    await scribe.record(registered.id)
    await scribe.publish()
    await stand.fetch("DELETE FROM edge.donor_profiles WHERE organization = $1", registered.id)

    async def covered() -> Answer | None:
        answer = await edge.get(posted.headers["Location"] + "/receipt", registered.key.secret)
        return answer if answer.status == 200 else None

    answer = await until(covered, "a checkpoint covers the gift")
    assert opened(answer) == set()
    await verified(answer.body, tmp_path)
