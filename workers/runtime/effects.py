"""The effects of messages in one database transaction that the caller opened.

The order is always: tenants in scope, which messages are new, handlers, what they send. The outbox
comes last, see `topics.outbox`.
"""

from collections.abc import Sequence
from typing import Any, Final

from contracts.identifiers import caused_id
from contracts.message import Envelope
from contracts.messages import MessageRefused
from topics import inbox, outbox
from topics.outbox import AnyConnection
from topics.registry import MESSAGES_REFUSED
from workers.runtime.items import Item
from workers.runtime.worker import Act, Decide, Transaction, Worker

SCOPE: Final = "SELECT set_config('app.organizations', $1, true)"


async def take_effect(
    connection: AnyConnection, worker: Worker, items: Sequence[Item], told: Sequence[Item]
) -> int:
    """Handle those of `items` that are new, announce the refusals of `told`; how many were new."""
    messages = [item.message for item in (*items, *told) if item.message is not None]
    organizations = sorted({message.organization for message in messages})
    await connection.execute(SCOPE, ",".join(organizations))
    ids = [item.message.id for item in items if item.message is not None]
    first = await inbox.first_sights(connection, worker.name, ids)
    transaction = Transaction(connection, worker.name)
    for route in worker.routes:
        new = [
            (item.message, item.outcome)
            for item in items
            if item.route is route and item.message is not None and item.message.id in first
        ]
        if not new:
            continue
        if isinstance(route, Act):
            await route.record(new, transaction)
        else:
            await _decide(route, [message for message, _ in new], transaction)
    for item in told:
        _announce(item, transaction)
    await outbox.queue(connection, transaction.records)
    return len(first)


async def _decide(
    route: Decide[Any], messages: Sequence[Envelope[Any]], transaction: Transaction
) -> None:
    await route.handle(messages, transaction)


def _announce(item: Item, transaction: Transaction) -> None:
    assert item.message is not None and item.verdict is not None
    body = MessageRefused(
        worker=transaction.sender,
        topic=item.message.type,
        message=item.message.id,
        code=item.verdict.code,
        reason=item.verdict.reason,
    )
    # Of this worker: another may refuse the same message for reasons of its own.
    identifier = caused_id(item.message.id, f"{MESSAGES_REFUSED.name}/{transaction.sender}")
    transaction.send(MESSAGES_REFUSED, body, cause=item.message, id=identifier)
