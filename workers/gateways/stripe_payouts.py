"""Payouts at Stripe: looked at, made, found again; the schedule of an account's own payouts.

Source: Stripe API, "Payouts", "Update an account".
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

import stripe

from workers.gateways.stripe_balance import PAGE, BalanceLine, read_line
from workers.gateways.stripe_errors import missing, spell_error
from workers.gateways.stripe_gateway import StripeGateway, idempotency_key
from workers.gateways.stripe_objects import AccessRevoked, Missing, Unresolved, read_time
from workers.runtime.worker import Refused

Status = Literal["pending", "in_transit", "paid", "failed", "canceled"]
_EXPAND: Final = ["balance_transaction", "failure_balance_transaction"]
#: What we call our own payouts by, in their metadata.
MARK: Final = "amply_payout"
_PAGES_MAX: Final = 3


@dataclass(frozen=True, slots=True)
class Payout:
    """Money on its way from the account's balance to the organization's bank.

    `line` took it from the balance, `failure_line` brought it back; None while Stripe has none.
    """

    id: str
    created: datetime
    status: Status
    automatic: bool
    arrival_date: datetime
    failure_code: str | None
    line: BalanceLine
    failure_line: BalanceLine | None


@dataclass(frozen=True, slots=True)
class PayoutRefused:
    """Stripe's final no to a payout. `code` is Stripe's word for it."""

    code: str


def read_payout(body: Mapping[str, Any]) -> Payout:
    """A payout with both of its balance transactions expanded."""
    failure = body.get("failure_balance_transaction")
    return Payout(
        id=body["id"],
        created=read_time(body["created"]),
        status=body["status"],
        automatic=body["automatic"],
        arrival_date=read_time(body["arrival_date"]),
        failure_code=body.get("failure_code"),
        line=read_line(body["balance_transaction"]),
        failure_line=read_line(failure) if isinstance(failure, Mapping) else None,
    )


async def fetch_payout(
    stripe_: StripeGateway, account: str, payout: str
) -> Payout | Missing | AccessRevoked:
    """The payout `po_…`."""
    try:
        path = f"/v1/payouts/{payout}"
        return read_payout(await stripe_.ask("get", path, account, expand=_EXPAND))
    except stripe.PermissionError:
        return AccessRevoked()
    except stripe.InvalidRequestError as error:
        return missing(error)


async def create_payout(
    stripe_: StripeGateway, account: str, *, amount: int, currency: str, name: str, attempt: int
) -> Payout | PayoutRefused | Unresolved:
    """Pay `amount` (of Stripe's integers) out; `name` is ours for it, one payout an attempt."""
    try:
        body = await stripe_.ask(
            "post",
            "/v1/payouts",
            account,
            idempotency_key=idempotency_key("payout.create", name, attempt),
            amount=amount,
            currency=currency.lower(),
            metadata={MARK: _mark(name, attempt)},
            expand=_EXPAND,
        )
    except stripe.PermissionError:
        return PayoutRefused("account_unavailable")
    except stripe.InvalidRequestError as error:
        return PayoutRefused(error.code or "stripe_refused")
    except stripe.APIError:
        return Unresolved()
    return read_payout(body)


async def find_payout(
    stripe_: StripeGateway, account: str, *, name: str, attempt: int
) -> Payout | None:
    """The payout that an attempt made, if it did, among the account's newest 300.

    Lists are current, unlike searches. An attempt is looked up before the next is made, so no
    schedule puts that many payouts after it.
    """
    query: dict[str, Any] = {"limit": PAGE}
    mark = _mark(name, attempt)
    for _ in range(_PAGES_MAX):
        page = await stripe_.ask("get", "/v1/payouts", account, **query)
        for body in page["data"]:
            if (body.get("metadata") or {}).get(MARK) == mark:
                found = await fetch_payout(stripe_, account, body["id"])
                return found if isinstance(found, Payout) else None
        if not page["has_more"]:
            break
        query["starting_after"] = page["data"][-1]["id"]
    return None


def _mark(name: str, attempt: int) -> str:
    return f"{name}/{attempt}"


async def set_schedule(
    stripe_: StripeGateway, account: str, schedule: Mapping[str, str | int]
) -> None:
    """Tell Stripe when to pay the account out by itself; `{"interval": "manual"}`: never."""
    try:
        await stripe_.ask(
            "post",
            f"/v1/accounts/{account}",
            account,
            settings={"payouts": {"schedule": dict(schedule)}},
        )
    except (stripe.PermissionError, stripe.InvalidRequestError) as error:
        raise Refused("schedule_refused", spell_error(error)) from error
