"""Bring relationships to SpiceDB, and fill a SpiceDB that lost them."""

from collections.abc import Sequence

from contracts.message import Envelope
from contracts.permissions import PermissionsRequested
from topics import registry
from topics.failpoints import reach
from topics.outbox import AnyConnection
from workers.gateways.spicedb_gateway import UPDATES_MAX, PermissionsGateway, open_spicedb
from workers.permissions import decisions, store
from workers.permissions.decisions import Applied
from workers.runtime.worker import Act, Transaction, Worker


async def write(message: Envelope[PermissionsRequested], spicedb: PermissionsGateway) -> Applied:
    """Apply the message's changes; applying them again changes nothing."""
    zed_token = await spicedb.write(message.body.changes)
    reach("permissions.written")
    return Applied(message.organization, message.body.changes, zed_token)


async def record(
    applied: Sequence[tuple[Envelope[PermissionsRequested], Applied]], transaction: Transaction
) -> None:
    """Keep what SpiceDB holds now."""
    outcome = decisions.fold(batch for _, batch in applied)
    await store.keep(transaction.connection, outcome)


async def fill_again(connection: AnyConnection, spicedb: PermissionsGateway) -> int:
    """Touch every relationship that SpiceDB shall hold; how many there are.

    For a SpiceDB without memory, after its schema was written and before this worker starts: a
    relationship that was deleted meanwhile would come back. `connection` is in a transaction.
    """
    count, zed_token = 0, None
    async for batch in store.all_relationships(connection, UPDATES_MAX):
        zed_token = await spicedb.write(batch)
        count += len(batch)
    if zed_token is not None:
        await store.renew_tokens(connection, zed_token)
    return count


WORKER = Worker(
    name="permissions",
    routes=[Act(registry.PERMISSIONS_REQUESTED, write, record)],
    gather_s=0.25,  # Nobody waits for it: fewer, larger batches.
    resources=open_spicedb,
)
