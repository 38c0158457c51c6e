"""What is seen of accounts, what comes of requests. Pure: no await, no clock, no database."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from workers.gateways.stripe_accounts import AccountState
from workers.gateways.stripe_objects import AccessRevoked

Stage = Literal["onboarding", "current", "retired"]
RefusalCode = Literal[
    "account_exists",
    "account_missing",
    "account_taken",
    "account_unavailable",
    "country_not_supported",
    "request_expired",
    "setup_under_way",
    "stripe_refused",
]

#: Who asked for a link is gone by then, and Stripe's links last for minutes.
LINK_PATIENCE: Final = timedelta(minutes=10)
#: Stripe may forget an idempotency key after 24 h (API reference, "Idempotent requests").
KEY_LIFETIME: Final = timedelta(hours=23)

#: The events after which an account is looked at; the rest of the topic is other workers'.
HANDLING: Final = frozenset(
    {
        "account.application.authorized",
        "account.application.deauthorized",
        "account.external_account.created",
        "account.external_account.deleted",
        "account.external_account.updated",
        "account.updated",
        "capability.updated",
    }
)


@dataclass(frozen=True, slots=True)
class Looked:
    """What a look saw that began at `began_at`, by the database's clock.

    AccessRevoked: Stripe no longer lets us act for the account.
    """

    account: str
    seen: AccountState | AccessRevoked
    began_at: datetime


@dataclass(frozen=True, slots=True)
class Refusal:
    """A request that came to nothing, and why."""

    code: RefusalCode


@dataclass(frozen=True, slots=True)
class Known:
    """An account of the organization, as it was last seen."""

    account: str
    stage: Stage
    authorized: bool
    details_submitted: bool


@dataclass(frozen=True, slots=True)
class Creation:
    """An account that Stripe was, or is about to be, asked for; `country` is that of the key."""

    number: int
    country: str
    begun_at: datetime


@dataclass(frozen=True, slots=True)
class Done:
    """A request that was met. `link` is the encrypted address of a form and when it expires."""

    account: str | None
    look: Looked | None = None
    link: tuple[bytes, datetime] | None = None


Outcome = Done | Refusal


def plan_creation(action: str, known: Sequence[Known]) -> str | Refusal | None:
    """The account that already answers the request, a refusal, or None: one must be made.

    Who asks twice gets the account that is being set up. A complete one is only left for another
    when that is what is asked for, or when we may not act for it any more.
    """
    begun = next((one for one in known if one.stage == "onboarding"), None)
    if begun is not None:
        return begun.account
    current = next((one for one in known if one.stage == "current"), None)
    if current is None or not current.authorized:
        return None
    if not current.details_submitted:
        return current.account
    return Refusal("account_exists") if action == "create" else None


def linked_account(known: Sequence[Known]) -> str | Refusal:
    """The account that a link leads to: the one being set up, else the current one."""
    for stage in ("onboarding", "current"):
        for one in known:
            if one.stage == stage:
                return one.account if one.authorized else Refusal("account_unavailable")
    return Refusal("account_missing")


def must_be_looked_for(creation: Creation, country: str, now: datetime) -> bool:
    """Whether an account may have been made under a key that this call would not use."""
    return creation.country != country or now - creation.begun_at >= KEY_LIFETIME
