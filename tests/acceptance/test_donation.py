"""A donation from POST to a receipt that anyone verifies, on the real platform."""

import email
import json
import sys
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.checks import amply_verify, checkpoint_covers_everything, export
from tests.platform import Running, until


def body(running: Running, **changes: object) -> dict[str, object]:
    return {
        "organization": running.settings["AMPLY_ORGANIZATION"],
        "amount_minor": 2500,
        "currency": "USD",
        "payment_method": "pm_card_visa",
        **changes,
    }


async def donate(running: Running, **changes: object) -> dict[str, Any]:
    """Post a gift and wait until its state is settled."""
    async with running.edge() as edge:
        answer = await edge.donate(body(running, **changes), str(uuid4()))
        return await edge.donation(str(answer.donation["id"]), wait_s=30)


async def test_a_gift_is_recorded_and_its_receipt_verifies_offline(
    running: Running, tmp_path: Path
) -> None:
    donation = await donate(running, amount_minor=4321)
    assert donation["status"] == "recorded"
    async with running.edge() as edge:
        receipt = tmp_path / "gift.tlog-proof"
        receipt.write_bytes(await edge.receipt(str(donation["id"])))
    result = await amply_verify("receipt", receipt, "--key", running.vkey_file)
    assert result["step"] is None

    rows = await running.fetch("SELECT * FROM read.entries WHERE subject = $1", donation["id"])
    assert len(rows) == 1
    postings = json.loads(rows[0]["bytes"])["money"]["postings"]
    amounts = {posting["account"]: int(posting["amount"]) for posting in postings}
    # 2.9 % of 43.21 is 1.253, rounded 1.25, plus 0.30.
    assert amounts == {
        "Assets:Stripe": 4166,
        "Expenses:ProcessorFees": 155,
        "Income:Donations": -4321,
    }


async def test_a_receipt_of_another_gift_is_refused_when_its_bytes_are_changed(
    running: Running, tmp_path: Path
) -> None:
    donation = await donate(running)
    async with running.edge() as edge:
        good = (await edge.receipt(str(donation["id"]))).decode()
    lines = good.split("\n")
    number = next(n for n, line in enumerate(lines) if line.startswith("index "))
    lines[number] = f"index {int(lines[number].removeprefix('index ')) - 1}"
    path = tmp_path / "forged.tlog-proof"
    path.write_text("\n".join(lines))
    with pytest.raises(AssertionError, match="verified"):
        await amply_verify("receipt", path, "--key", running.vkey_file)


async def test_the_export_and_the_whole_log_verify(running: Running, tmp_path: Path) -> None:
    await donate(running)
    await checkpoint_covers_everything(running)
    path = await export(running, tmp_path / "export.jsonl")
    result = await amply_verify("export", path, "--key", running.vkey_file)
    rows = await running.fetch(
        "SELECT account, fund, currency, amount FROM ledger.balances b"
        " JOIN edge.organizations o ON o.id = b.organization WHERE o.slug = $1",
        running.settings["AMPLY_ORGANIZATION"],
    )
    ours = {(row["account"], row["fund"], row["currency"]): int(row["amount"]) for row in rows}
    theirs = {
        (one["account"], one["fund"], one["currency"]): int(one["amount"])
        for one in result["balances"]
    }
    assert {key: value for key, value in ours.items() if value} == {
        key: value for key, value in theirs.items() if value
    }
    await amply_verify("log", running.data.public / "log" / "0", "--key", running.vkey_file)
    await amply_verify("log", running.settings["AMPLY_URL"] + "/log/0", "--key", running.vkey_file)


async def test_the_stripe_balance_is_what_the_ledger_says(running: Running) -> None:
    await donate(running, amount_minor=777)
    import stripe

    from deploy.demonstration import stripe_client

    rows = await running.fetch(
        "SELECT o.stripe_account, sum(b.amount) AS held FROM ledger.balances b"
        " JOIN read.organizations o ON o.id = b.organization"
        " WHERE b.account = 'Assets:Stripe' GROUP BY 1"
    )
    async with stripe_client(running.settings) as client:
        balance = await client.v1.balance.retrieve_async(
            options={"stripe_account": rows[0]["stripe_account"]}
        )
    assert isinstance(balance, stripe.Balance)
    held = sum(one["amount"] for one in [*balance.available, *balance.pending])
    assert held == rows[0]["held"]


async def test_a_declined_card_is_a_failed_donation_without_an_entry(running: Running) -> None:
    donation = await donate(running, payment_method="pm_card_chargeDeclined")
    assert donation["status"] == "failed"
    assert donation["failure"]["code"] == "card_declined"
    rows = await running.fetch("SELECT 1 FROM read.entries WHERE subject = $1", donation["id"])
    assert rows == []


async def test_three_d_secure_asks_for_an_action_and_shows_the_client_secret(
    running: Running,
) -> None:
    donation = await donate(running, payment_method="pm_card_authenticationRequired")
    assert donation["status"] == "requires_action"
    assert donation["next_action"]["client_secret"].startswith("pi_")


async def test_a_donor_who_covers_the_fee_leaves_the_whole_gift_to_the_organization(
    running: Running,
) -> None:
    donation = await donate(running, amount_minor=50_000, covers_fee=True)
    rows = await running.fetch("SELECT bytes FROM read.entries WHERE subject = $1", donation["id"])
    postings = json.loads(rows[0]["bytes"])["money"]["postings"]
    amounts = {posting["account"]: int(posting["amount"]) for posting in postings}
    assert amounts["Assets:Stripe"] == 50_000
    assert -amounts["Income:Donations"] == donation["charge_amount_minor"]


async def test_one_mail_thanks_the_donor_and_no_log_line_names_them(running: Running) -> None:
    name, address = "Grace Marker", f"grace-{uuid4().hex}@example.org"
    donation = await donate(running, donor={"name": name, "email": address, "display": "public"})

    async def mails() -> list[Path]:
        folder = running.data.path / "mail"
        return [path for path in folder.rglob("*.eml") if address in path.read_text()]

    found = await until(mails, what="the mail arrived")
    assert len(found) == 1
    message = email.message_from_bytes(found[0].read_bytes())
    assert str(donation["id"]) in str(message.get_payload())
    for path in running.data.logs.iterdir():
        if path.is_file():
            content = path.read_text(errors="replace")
            assert address not in content, f"{path.name} names the donor"
            assert name not in content, f"{path.name} names the donor"


async def test_the_amply_command_donates_and_shows_its_receipt(running: Running) -> None:
    import asyncio

    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "from deploy.cli import main; main()",
        "donate",
        "--data",
        str(running.data.path),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
    assert "verified" in output.decode()
