"""An organization's account at Stripe, asked for at the edge as any client would."""

import asyncio
from typing import Any, Final, Literal
from uuid import uuid4

from deploy.client import EdgeClient

#: In one request, and in all.
WAIT_S: Final = 30
WAIT_S_MAX: Final = 120.0
_PATH: Final = "/v1/organizations/{}/stripe-account"


class NotAnsweredError(RuntimeError):
    """Stripe, or the accounts worker, did not answer in time."""


async def make_account(edge: EdgeClient, slug: str, country: str, *, replace: bool = False) -> str:
    """An account in `country`, or the one that there is; its id."""
    body = {"country": country, "replace": replace}
    return str((await _request(edge, _PATH.format(slug), body))["account"])


async def make_link(
    edge: EdgeClient, slug: str, purpose: Literal["onboarding", "update"] = "onboarding"
) -> dict[str, Any]:
    """A fresh link to Stripe's form: `url`, `expires_at`."""
    return await _request(edge, f"{_PATH.format(slug)}/links", {"type": purpose})


async def show_account(
    edge: EdgeClient, slug: str, *, until_active: bool = False
) -> dict[str, Any]:
    """The organization's accounts; NotAnsweredError when they do not become active in time."""
    deadline = asyncio.get_running_loop().time() + WAIT_S_MAX
    while True:
        wait_s = WAIT_S if until_active else 0
        shown = await edge.ask("GET", _PATH.format(slug), wait_s=wait_s)
        if shown["state"] == "active" or not until_active:
            return shown
        if asyncio.get_running_loop().time() > deadline:
            raise NotAnsweredError(f"the account is in state {shown['state']}: {shown['summary']}")


async def _request(edge: EdgeClient, path: str, body: dict[str, Any]) -> dict[str, Any]:
    deadline = asyncio.get_running_loop().time() + WAIT_S_MAX
    made = await edge.ask("POST", path, body, idempotency_key=str(uuid4()), wait_s=WAIT_S)
    slug_path = path.removesuffix("/links")
    while made["status"] == "pending":
        if asyncio.get_running_loop().time() > deadline:
            raise NotAnsweredError(f"no answer to {made['id']} within {WAIT_S_MAX:.0f} s")
        made = await edge.ask("GET", f"{slug_path}/requests/{made['id']}", wait_s=WAIT_S)
    if made["status"] != "done":
        raise NotAnsweredError(f"{made['id']} was refused: {made['code']}")
    return made
