"""`amply donate` and `amply import`: the edge, used as any client would."""

import asyncio
from pathlib import Path
from typing import Annotated
from uuid import uuid4

import aiohttp
import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from contracts.money import spell
from deploy import demonstration, importing
from deploy.cli.console import DATA_DEFAULT, DataOption, console, environment, fail, setting
from deploy.client import EdgeClient, OutcomeUnknownError, RefusedByEdgeError
from deploy.deployment import DataDirectory

FAULTS_SHOWN_MAX = 10


def donate(
    amount_minor: Annotated[
        int, typer.Option(help="The gift in minor units: 2500 is 25.00.")
    ] = 2500,
    currency: Annotated[str, typer.Option(help="ISO 4217 code.")] = demonstration.CURRENCY,
    organization: Annotated[str | None, typer.Option(help="Slug of the organization.")] = None,
    payment_method: Annotated[str, typer.Option(help="A Stripe payment method.")] = "pm_card_visa",
    data: DataOption = DATA_DEFAULT,
) -> None:
    """Give once, wait for the signed checkpoint, keep and verify the receipt."""
    values = environment(data)
    body = {
        "organization": organization or setting(values, "AMPLY_ORGANIZATION"),
        "amount_minor": amount_minor,
        "currency": currency,
        "payment_method": payment_method,
    }
    url, key = setting(values, "AMPLY_URL"), setting(values, "AMPLY_API_KEY")
    try:
        asyncio.run(_donate(url, key, body, DataDirectory(data.absolute())))
    except aiohttp.ClientError as error:
        fail(f"{url} does not answer: {error}")
    except (RefusedByEdgeError, OutcomeUnknownError, demonstration.VerificationError) as error:
        fail(str(error))


async def _donate(url: str, key: str, body: dict[str, object], data: DataDirectory) -> None:
    async with EdgeClient(url, key) as edge:
        answer = await edge.donate(body, f"donate-{uuid4()}")
        identifier = str(answer.donation["id"])
        console.print(f"accepted {identifier}", markup=False)
        donation = await edge.donation(identifier, wait_s=30)
        console.print(f"status {donation['status']}", markup=False)
        if donation["status"] not in {"captured", "recorded"}:
            reason = (donation["failure"] or {"code": "not settled within 30 s"})["code"]
            fail(f"no receipt: the donation is {donation['status']} ({reason})")
        receipt = await demonstration.fetch_receipt(edge, identifier, data.receipts)
    verdict = await demonstration.verify(receipt, data.public / "log" / "0" / "vkey")
    console.print(f"receipt {receipt}", markup=False, soft_wrap=True)
    console.print(f"verified: {verdict.message}", markup=False, soft_wrap=True)


def import_gifts(
    file: Annotated[Path, typer.Argument(help="CSV, or gzip of one, with a column amount_minor.")],
    organization: Annotated[str, typer.Option(help="Slug of the organization.")],
    rate: Annotated[float | None, typer.Option(help="Gifts a second at most.")] = None,
    limit: Annotated[int | None, typer.Option(help="Only the first so many rows.")] = None,
    currency: Annotated[str, typer.Option(help="ISO 4217 code.")] = demonstration.CURRENCY,
    data: DataOption = DATA_DEFAULT,
) -> None:
    """Post the donations of a CSV file through the edge."""
    values = environment(data)
    url, key = setting(values, "AMPLY_URL"), setting(values, "AMPLY_API_KEY")
    try:
        gifts = importing.read(file, limit=limit)
        summary = asyncio.run(_import(url, key, gifts, organization, currency, rate))
    except OSError as error:
        fail(f"{file} cannot be read: {error.strerror}", 2)
    except importing.FaultyFileError as error:
        fail(f"nothing was imported.\n{error}", 2)
    total = spell(summary.amount_minor, currency)
    console.print(f"{summary.accepted} of {len(gifts.gifts)} accepted, {total}", markup=False)
    if summary.repeated:
        console.print(f"{summary.repeated} of them had been imported before", markup=False)
    if summary.refused:
        shown = sorted(summary.refused.items())[:FAULTS_SHOWN_MAX]
        fail("\n".join(f"row {row}: {reason}" for row, reason in shown))


async def _import(
    url: str,
    key: str,
    gifts: importing.GiftFile,
    organization: str,
    currency: str,
    rate: float | None,
) -> importing.Summary:
    columns = (TextColumn("Importing"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("import", total=len(gifts.gifts))
        async with EdgeClient(url, key) as edge:
            return await importing.post_all(
                edge,
                gifts,
                organization=organization,
                currency=currency,
                rate_per_s=rate,
                progress=lambda count: progress.advance(task, count),
            )
