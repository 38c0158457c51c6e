"""Keep what Stripe says of organizations' accounts, and do what is asked about them."""

from collections.abc import Sequence

from contracts.accounts import AccountRequested
from contracts.identifiers import caused_id, type_id
from contracts.message import Envelope
from contracts.stripe_events import StripeEventReceived
from topics import registry
from topics.failpoints import reach
from workers.accounts import decisions, requests, store
from workers.accounts.decisions import Done, Looked, Outcome, Refusal
from workers.accounts.resources import Accounts, open_accounts
from workers.runtime.worker import Act, Transaction, Worker


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


async def act(message: Envelope[AccountRequested], accounts: Accounts) -> Outcome:
    """Do at Stripe what a request asks for."""
    outcome = await requests.ACTIONS[message.body.action](message, accounts)
    reach("accounts.answered")
    return outcome


async def record_outcomes(
    outcomes: Sequence[tuple[Envelope[AccountRequested], Outcome]], transaction: Transaction
) -> None:
    """Keep what came of requests; look again at what was made."""
    for message, outcome in outcomes:
        settled = await _apply(message, outcome, transaction)
        await store.settle(transaction.connection, message, settled)
        if isinstance(settled, Done) and message.body.action in ("create", "replace"):
            _look_again(message, settled, transaction)


async def _apply(
    message: Envelope[AccountRequested], outcome: Outcome, transaction: Transaction
) -> Outcome:
    connection, organization = transaction.connection, message.organization
    if isinstance(outcome, Refusal):
        return outcome
    if message.body.action == "retire":
        account = await store.retire(connection, organization)
        return Done(account) if account else Refusal("account_missing")
    if message.body.action == "adopt" and outcome.account is not None:
        code = await store.adopt(connection, organization, outcome.account)
        if code is not None:
            return Refusal(code)
    if outcome.look is not None:
        await store.keep(connection, organization, outcome.look)
    return outcome


def _look_again(message: Envelope[AccountRequested], done: Done, transaction: Transaction) -> None:
    """Events that came before the account was known here led nowhere."""
    request = type_id("areq", caused_id(message.id, "look again"))
    body = AccountRequested(request=request, action="look", account=done.account)
    transaction.send(registry.ACCOUNTS_REQUESTED, body, cause=message)


WORKER = Worker(
    name="accounts",
    routes=[
        Act(registry.STRIPE_EVENTS, look, record_looks),
        Act(registry.ACCOUNTS_REQUESTED, act, record_outcomes),
    ],
    gather_s=0.25,  # Most of what it hears of is about gifts, and none of its business.
    fetch_wait_s=0.25,
    resources=open_accounts,
)
