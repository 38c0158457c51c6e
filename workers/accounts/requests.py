"""What is asked about an account, done at Stripe: one function for each action."""

from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from contracts import connect
from contracts.accounts import AccountRequested
from contracts.message import Envelope
from workers.accounts import decisions, store
from workers.accounts.decisions import Done, Looked, Outcome, Refusal
from workers.accounts.resources import Accounts
from workers.gateways.stripe_accounts import (
    AccountState,
    Rejected,
    create_account,
    create_link,
    find_account,
)
from workers.gateways.stripe_objects import AccessRevoked
from workers.runtime.worker import Refused, Transient

_log = structlog.get_logger()


async def make(message: Envelope[AccountRequested], accounts: Accounts) -> Outcome:
    """An account, made once, and kept as soon as Stripe answered."""
    organization, country = message.organization, message.body.country
    if country is None:
        raise Refused("country_missing", "an account is made in a country")
    known = await store.known(accounts.pool, organization)
    planned = decisions.plan_creation(message.body.action, known)
    if isinstance(planned, Refusal):
        return planned
    if planned is not None:
        return Done(planned)
    creation = await store.begin(accounts.pool, organization, country)
    began_at = await store.now(accounts.pool)
    made: AccountState | Rejected | None = None
    if decisions.must_be_looked_for(creation, country, began_at):
        made = await find_account(accounts.stripe, organization, creation.number, creation.begun_at)
        if made is None:
            again = await store.begin_again(accounts.pool, organization, creation.number, country)
            if again is None:
                raise Transient("another process has just made this account")
            creation = again
    if made is None:
        made = await create_account(
            accounts.stripe, organization, creation.number, country, creation.begun_at
        )
    if isinstance(made, Rejected):
        return _refuse(made, message)
    looked = Looked(made.id, made, began_at)
    await store.keep_made(accounts.pool, organization, creation.number, looked)
    return Done(made.id)


async def link(message: Envelope[AccountRequested], accounts: Accounts) -> Outcome:
    """A fresh link to what Stripe wants to know."""
    if accounts.now() - message.time > decisions.LINK_PATIENCE:
        return Refusal("request_expired")
    organization, body = message.organization, message.body
    account = decisions.linked_account(await store.known(accounts.pool, organization))
    if isinstance(account, Refusal):
        return account
    action: connect.LinkAction = "update" if body.action == "update" else "onboard"
    made = await create_link(
        accounts.stripe,
        account,
        body.request,
        fields="eventually_due" if action == "update" else "currently_due",
        return_url=accounts.address("return", action, organization, message.time),
        refresh_url=accounts.address("refresh", action, organization, message.time),
    )
    if isinstance(made, Rejected):
        return _refuse(made, message)
    return Done(account, link=(accounts.seal(made.url, body.request), made.expires_at))


async def adopt(message: Envelope[AccountRequested], accounts: Accounts) -> Outcome:
    """See that Stripe lets us act for the account."""
    looked = await accounts.look(_account_of(message))
    if isinstance(looked.seen, AccessRevoked):
        return Refusal("account_unavailable")
    return Done(looked.account, looked)


async def look(message: Envelope[AccountRequested], accounts: Accounts) -> Outcome:
    """See how the account is."""
    looked = await accounts.look(_account_of(message))
    return Done(looked.account, looked)


async def retire(message: Envelope[AccountRequested], accounts: Accounts) -> Outcome:
    """Nothing changes at Stripe: what the account still owes the organization goes on."""
    return Done(None)


#: Action -> how it is done.
ACTIONS: Final[dict[str, Callable[[Envelope[AccountRequested], Accounts], Awaitable[Outcome]]]] = {
    "create": make,
    "replace": make,
    "onboard": link,
    "update": link,
    "adopt": adopt,
    "look": look,
    "retire": retire,
}


def _account_of(message: Envelope[AccountRequested]) -> str:
    if message.body.account is None:
        raise Refused("account_missing", f"{message.body.action} needs an account")
    return message.body.account


def _refuse(rejected: Rejected, message: Envelope[AccountRequested]) -> Refusal:
    if rejected.what == "country":
        return Refusal("country_not_supported")
    if rejected.what == "account":
        return Refusal("account_unavailable")
    # Ours to mend: Stripe does not let the platform do what every organization needs.
    _log.error(
        "stripe_refused_onboarding",
        action=message.body.action,
        what=rejected.what,
        reason=rejected.reason,
    )
    return Refusal("stripe_refused")
