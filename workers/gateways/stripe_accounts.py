"""Connected accounts at Stripe: made with controller properties, looked at, linked to.

Sources: Stripe API, "Accounts" and "Account Links"; Stripe Connect, "Accounts v1 controller
properties".
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

import stripe

from workers.gateways.stripe_errors import error_of, missing, spell_error
from workers.gateways.stripe_gateway import StripeGateway, idempotency_key
from workers.gateways.stripe_objects import AccessRevoked, Missing, read_time
from workers.runtime.worker import Transient

#: Stripe bears losses and collects what the law requires; the organization pays Stripe's fees and
#: has the whole Dashboard. So Amply neither holds money nor answers for a negative balance.
CONTROLLER: Final = {
    "fees": {"payer": "account"},
    "losses": {"payments": "stripe"},
    "requirement_collection": "stripe",
    "stripe_dashboard": {"type": "full"},
}
CAPABILITIES: Final = ("card_payments", "transfers")
#: Failures of Stripe's own that are left behind, each with its idempotency key, in one go.
_KEYS_MAX: Final = 3
_CLOCKS_APART: Final = timedelta(hours=1)


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


@dataclass(frozen=True, slots=True)
class AccountLink:
    """A form of Stripe's, for one visit of whoever holds the address."""

    url: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Rejected:
    """A final no. `what` is the parameter that Stripe named, or "", `reason` fit for a log."""

    what: str
    reason: str


async def create_account(
    gateway: StripeGateway, organization: str, number: int, country: str, since: datetime
) -> AccountState | Rejected:
    """The organization's `number`-th account, made once however often this is called.

    `since` is when it was first asked for.
    """
    for attempt in range(1, _KEYS_MAX + 1):
        try:
            body = await gateway.ask(
                "post",
                "/v1/accounts",
                None,
                idempotency_key=idempotency_key(
                    "account.create", f"{organization}/{number}/{country}", attempt
                ),
                country=country,
                controller=CONTROLLER,
                capabilities={name: {"requested": True} for name in CAPABILITIES},
                metadata={"organization": organization, "number": str(number)},
            )
        except (stripe.PermissionError, stripe.InvalidRequestError) as error:
            return _rejected(error)
        except stripe.APIError:  # Stripe answers this key so for a day.
            found = await find_account(gateway, organization, number, since)
            if found is not None:
                return found
        else:
            return read_account(body)
    raise Transient("Stripe failed at making an account, and made none")


async def find_account(
    gateway: StripeGateway, organization: str, number: int, since: datetime
) -> AccountState | None:
    """The account that was made for this organization and number, if one was."""
    wanted = {"organization": organization, "number": str(number)}
    page: dict[str, Any] = {
        "limit": 100,
        "created": {"gte": int((since - _CLOCKS_APART).timestamp())},
    }
    while True:
        body = await gateway.ask("get", "/v1/accounts", None, **page)
        for account in body["data"]:
            if (account.get("metadata") or {}).items() >= wanted.items():
                return read_account(account)
        if not body.get("has_more"):
            return None
        page["starting_after"] = body["data"][-1]["id"]


async def create_link(
    gateway: StripeGateway,
    account: str,
    request: str,
    *,
    fields: Literal["currently_due", "eventually_due"],
    return_url: str,
    refresh_url: str,
) -> AccountLink | Rejected:
    """A link to the form for what Stripe wants to know, `fields` of it.

    Always `account_onboarding`: `account_update` is for accounts whose platform collects what the
    law requires, and this form takes changes too.
    """
    try:
        body = await gateway.ask(
            "post",
            "/v1/account_links",
            None,
            idempotency_key=idempotency_key("account_link.create", request, 1),
            account=account,
            type="account_onboarding",
            collection_options={"fields": fields},
            return_url=return_url,
            refresh_url=refresh_url,
        )
    except (stripe.PermissionError, stripe.InvalidRequestError) as error:
        return _rejected(error)
    except stripe.APIError as error:
        return Rejected("", spell_error(error))
    return AccountLink(body["url"], read_time(body["expires_at"]))


def _rejected(error: stripe.StripeError) -> Rejected:
    if isinstance(error, stripe.PermissionError):
        return Rejected("account", spell_error(error))
    return Rejected(error_of(error).get("param") or "", spell_error(error))


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
