"""`amply refund`: give a gift back, through the edge as any client would."""

import asyncio
from typing import Annotated, Any, Final
from uuid import uuid4

import aiohttp
import typer

from contracts.money import parse_decimal, spell
from deploy.cli.console import DATA_DEFAULT, DataOption, console, environment, fail, setting
from deploy.client import EdgeClient, OutcomeUnknownError, RefusedByEdgeError

WAIT_S: Final = 30
#: What the command ends with when the refund is under way, but not there.
NOT_SETTLED: Final = 3


def refund(
    donation: Annotated[str, typer.Argument(help="The gift, don_…")],
    amount: Annotated[
        str | None, typer.Option(help="How much of it, such as 12.50; all that is left if not.")
    ] = None,
    reason: Annotated[
        str, typer.Option(help="duplicate, fraudulent or requested_by_customer.")
    ] = "requested_by_customer",
    data: DataOption = DATA_DEFAULT,
) -> None:
    """Refund a gift and wait for what comes of it.

    Ends with 0 when the donor's money is on its way back, 1 when it was refused or failed, 3 when
    it is not settled yet: the same gift's `refunds` tell later.
    """
    values = environment(data)
    url, key = setting(values, "AMPLY_URL"), setting(values, "AMPLY_API_KEY")
    try:
        made = asyncio.run(_refund(url, key, donation, amount, reason))
    except aiohttp.ClientError as error:
        fail(f"{url} does not answer: {error}")
    except ValueError as error:
        fail(str(error), 2)
    except (RefusedByEdgeError, OutcomeUnknownError) as error:
        fail(str(error))
    _show(made)


async def _refund(
    url: str, key: str, donation: str, amount: str | None, reason: str
) -> dict[str, Any]:
    async with EdgeClient(url, key) as edge:
        gift = await edge.donation(donation)
        body: dict[str, Any] = {"reason": reason}
        if amount is not None:
            body["amount_minor"] = parse_decimal(amount, gift["currency"])
        accepted = await edge.refund(donation, body, f"refund-{uuid4()}")
        console.print(f"accepted {accepted['id']}", markup=False)
        return await edge.refunded(accepted["id"], wait_s=WAIT_S)


def _show(made: dict[str, Any]) -> None:
    amount = made["amount_minor"]
    of = "" if amount is None else f" of {spell(amount, made['currency'])}"
    why = "" if made["code"] is None else f" ({made['code']})"
    text = f"the refund{of} is {made['status']}{why}"
    match made["status"]:
        case "succeeded":
            console.print(text, markup=False)
        case "pending" | "requires_action":
            console.print(text, markup=False)
            raise typer.Exit(NOT_SETTLED)
        case _:
            fail(text)
