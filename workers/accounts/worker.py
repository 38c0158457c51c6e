"""Keep what Stripe says of organizations' accounts, and do what is asked about them."""

from collections.abc import Sequence

from contracts.accounts import AccountRequested
from contracts.message import Envelope
from contracts.stripe_events import StripeEventReceived
from topics import registry
from workers.accounts import decisions, store
from workers.accounts.decisions import Looked, Refusal
from workers.accounts.resources import Accounts, open_accounts
from workers.gateways.stripe_objects import AccessRevoked
from workers.runtime.worker import Act, Refused, Transaction, Worker


async def look(message: Envelope[StripeEventReceived], accounts: Accounts) -> Looked | None:
    """See how the account is that an event is about.

    `deauthorized` is looked at too: refused, it is as the event says; else access was given again.
    """
    if message.body.event_type not in decisions.HANDLING:
        return None
    return await accounts.look(message.body.account)


async def record_looks(
    looks: Sequence[tuple[Envelope[StripeEventReceived], Looked | None]], transaction: Transaction
) -> None:
    """Keep what was seen."""
    for message, looked in looks:
        if looked is not None:
            await store.keep(transaction.connection, message.organization, looked)


Outcome = Looked | Refusal | None


async def act(message: Envelope[AccountRequested], accounts: Accounts) -> Outcome:
    """Do at Stripe what a request asks for."""
    body = message.body
    if body.action == "retire":
        return None
    if body.account is None:
        raise Refused("account_missing", f"{body.action} needs an account")
    looked = await accounts.look(body.account)
    if body.action == "adopt" and isinstance(looked.seen, AccessRevoked):
        return Refusal("account_unavailable")
    return looked


async def record_outcomes(
    outcomes: Sequence[tuple[Envelope[AccountRequested], Outcome]], transaction: Transaction
) -> None:
    """Keep what came of requests."""
    connection = transaction.connection
    for message, outcome in outcomes:
        organization, body = message.organization, message.body
        answer: str | Refusal | None = body.account
        if isinstance(outcome, Refusal):
            answer = outcome
        elif body.action == "retire":
            answer = await store.retire(connection, organization) or Refusal("account_missing")
        elif body.action == "adopt":
            assert body.account is not None
            code = await store.adopt(connection, organization, body.account)
            answer = Refusal(code) if code else body.account
        if isinstance(outcome, Looked) and not isinstance(answer, Refusal):
            await store.keep(connection, organization, outcome)
        await store.settle(connection, message, answer)


WORKER = Worker(
    name="accounts",
    routes=[
        Act(registry.STRIPE_EVENTS, look, record_looks),
        Act(registry.ACCOUNTS_REQUESTED, act, record_outcomes),
    ],
    resources=open_accounts,
)
