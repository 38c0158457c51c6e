"""The demonstration: a charity in the sandbox, its connected account, one donation, its receipt.

Everything goes the way that an integrator's own would: the webhook endpoints through the official
`stripe` library, the account and the donation through the public API, the check through
`amply-verify` in a process of its own.
"""

import asyncio
import re
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urljoin
from uuid import uuid4

import aiohttp
import orjson
import stripe

from deploy import connecting
from deploy.client import EdgeClient, RefusedByEdgeError
from edge.webhooks.events import TYPES

SLUG: Final = "harbour-lights"
NAME: Final = "Harbour Lights"
CURRENCY: Final = "USD"
COUNTRY: Final = "US"
STRIPE_VERSION: Final = "2026-08-26.dahlia"
GIFT: Final = {
    "organization": SLUG,
    "amount_minor": 2500,
    "currency": CURRENCY,
    "payment_method": "pm_card_visa",
    "donor": {"name": "Ada Example", "email": "ada@example.org", "display": "public"},
}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A webhook endpoint at our edge, and the setting that its secret belongs into."""

    name: str
    path: str
    setting: str
    is_connect: bool
    types: tuple[str, ...]


#: A live deployment registers the same. What Stripe tells of our own account is kept and goes no
#: further.
ENDPOINTS: Final = (
    Endpoint(
        "webhook_account",
        "/v1/webhooks/stripe",
        "AMPLY_STRIPE_ACCOUNT_SECRETS",
        is_connect=False,
        types=("account.updated", "application_fee.created", "application_fee.refunded"),
    ),
    Endpoint(
        "webhook",
        "/v1/webhooks/stripe/connect",
        "AMPLY_STRIPE_CONNECT_SECRETS",
        is_connect=True,
        types=tuple(sorted(TYPES)),
    ),
)


class VerificationError(RuntimeError):
    """`amply-verify` refused what this platform produced; the text is its own."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What `amply-verify --json` said of a receipt."""

    verified: bool
    message: str
    seq: int | None


async def connect_account(settings: Mapping[str, str], slug: str) -> None:
    """An account that may take charges, by the same steps as any organization's."""
    async with EdgeClient(settings["AMPLY_URL"], settings["AMPLY_API_KEY"]) as edge:
        try:
            await connecting.make_account(edge, slug, COUNTRY)
        except RefusedByEdgeError as error:
            if error.code != "account_exists":  # A start that died half-way made it.
                raise
        link = await connecting.make_link(edge, slug)
        await fill_in(link["url"])
        await connecting.show_account(edge, slug, until_active=True)


async def fill_in(url: str) -> str:
    """What a person of the organization does on the sandbox's page; where that leads to."""
    async with aiohttp.ClientSession(raise_for_status=True) as session:
        async with session.get(url, allow_redirects=False) as page:
            if page.status != 200:  # The link was used, or is too old.
                return page.headers["Location"]
            [action] = re.findall(r'action="([^"]+)"', await page.text())
        address, form = urljoin(url, action), {"complete": "true"}
        async with session.post(address, data=form, allow_redirects=False) as answer:
            return answer.headers["Location"]


async def register_webhook(
    settings: Mapping[str, str], endpoint: Endpoint, known: Mapping[str, str]
) -> dict[str, str]:
    """The endpoint at Stripe: its id and signing secret.

    `known` is what an earlier start was given; only address and types are brought up to date then,
    since Stripe shows an endpoint's secret once.
    """
    url = settings["AMPLY_URL"] + endpoint.path
    types: list[Any] = list(endpoint.types)
    async with stripe_client(settings) as client:
        if known:
            await client.v1.webhook_endpoints.update_async(
                known["id"], params={"url": url, "enabled_events": types}
            )
            return dict(known)
        made = await client.v1.webhook_endpoints.create_async(
            params={
                "url": url,
                "connect": endpoint.is_connect,
                "enabled_events": types,
                "api_version": STRIPE_VERSION,
            }
        )
    assert made.secret is not None
    return {"id": made.id, "secret": made.secret}


async def donate(edge: EdgeClient, receipts: Path) -> tuple[str, Path]:
    """Give once and fetch the receipt: the donation's id and the receipt's path."""
    answer = await edge.donate(dict(GIFT), f"demonstration-{uuid4()}")
    identifier = str(answer.donation["id"])
    return identifier, await fetch_receipt(edge, identifier, receipts)


async def fetch_receipt(edge: EdgeClient, identifier: str, receipts: Path) -> Path:
    """Wait until a signed checkpoint covers the donation's entry; write its receipt."""
    path = receipts / f"{identifier}.tlog-proof"
    content = await edge.receipt(identifier)
    temporary = path.with_name(path.name + ".new")
    temporary.write_bytes(content)
    temporary.replace(path)
    return path


async def verify(receipt: Path, key: Path) -> Verdict:
    """Run `amply-verify receipt` as anybody would; VerificationError when it refuses."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "amply_verify",
        "receipt",
        str(receipt),
        "--key",
        str(key),
        "--json",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate()
    if process.returncode == 2:
        raise VerificationError(errors.decode() or output.decode())
    result = orjson.loads(output)
    if process.returncode != 0:
        raise VerificationError(f"step {result['step']}: {result['message']}")
    return Verdict(bool(result["verified"]), str(result["message"]), result["seq"])


@asynccontextmanager
async def stripe_client(settings: Mapping[str, str]) -> AsyncIterator[stripe.StripeClient]:
    """The official client, pointed at the sandbox."""
    http_client = stripe.AIOHTTPClient(timeout=10)
    try:
        yield stripe.StripeClient(
            settings["AMPLY_STRIPE_KEY"],
            stripe_version=STRIPE_VERSION,
            base_addresses={"api": settings["AMPLY_STRIPE"]},
            http_client=http_client,
            max_network_retries=2,
        )
    finally:
        await http_client.close_async()  # type: ignore[no-untyped-call]  # stripe leaves it so
