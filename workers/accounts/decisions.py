"""What is seen of accounts, what comes of requests. Pure: no await, no clock, no database."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from workers.gateways.stripe_accounts import AccountState
from workers.gateways.stripe_objects import AccessRevoked

RefusalCode = Literal["account_missing", "account_taken", "account_unavailable", "setup_under_way"]

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
