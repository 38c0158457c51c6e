"""Connected accounts at Stripe. Source: Stripe API, "Accounts"."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import stripe

from workers.gateways.stripe_gateway import StripeGateway, missing
from workers.gateways.stripe_objects import AccessRevoked, Missing, read_time


@dataclass(frozen=True, slots=True)
class AccountState:
    """An account as Stripe shows it; `due` is what it must still tell Stripe, by Stripe's names.

    `bank_status` is Stripe's word on the bank account for `default_currency`, None without one.
    """

    id: str
    charges_enabled: bool
    payouts_enabled: bool
    details_submitted: bool
    disabled_reason: str | None
    due: tuple[str, ...]
    due_by: datetime | None
    in_review: tuple[str, ...]
    country: str | None
    default_currency: str | None
    bank_account: str | None
    bank_status: str | None


async def fetch_account(gateway: StripeGateway, account: str) -> AccountState | AccessRevoked:
    """The account `acct_…` as it is now; AccessRevoked also when Stripe no longer has it."""
    try:
        return read_account(await gateway.ask("get", f"/v1/accounts/{account}", None))
    except stripe.PermissionError:
        return AccessRevoked()
    except stripe.InvalidRequestError as error:
        assert isinstance(missing(error), Missing)
        return AccessRevoked()


def read_account(body: Mapping[str, Any]) -> AccountState:
    """What we keep of an account's body."""
    requirements = body.get("requirements") or {}
    due = dict.fromkeys(
        [*(requirements.get("past_due") or ()), *(requirements.get("currently_due") or ())]
    )
    due_by = requirements.get("current_deadline")
    currency = body.get("default_currency")
    bank = _bank_of(body, currency)
    return AccountState(
        id=body["id"],
        charges_enabled=body["charges_enabled"],
        payouts_enabled=body["payouts_enabled"],
        details_submitted=body["details_submitted"],
        disabled_reason=requirements.get("disabled_reason"),
        due=tuple(due),
        due_by=None if due_by is None else read_time(due_by),
        in_review=tuple(requirements.get("pending_verification") or ()),
        country=body.get("country"),
        default_currency=currency.upper() if currency else None,
        bank_account=bank.get("id"),
        bank_status=bank.get("status"),
    )


def _bank_of(body: Mapping[str, Any], currency: str | None) -> Mapping[str, Any]:
    listed = (body.get("external_accounts") or {}).get("data") or ()
    fitting = [one for one in listed if one.get("currency") == currency]
    chosen = [one for one in fitting if one.get("default_for_currency")] or fitting
    return chosen[0] if chosen else {}
