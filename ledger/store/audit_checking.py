"""An organization's audit log checked as it is stored, record by record, in one snapshot."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

from ledger.audit import AuditError, Chain, Head
from ledger.audit_anchor import Anchor, start_of
from ledger.audit_export import Verified, check_stored, first_line, line_of
from ledger.store import audit
from ledger.store.connection import AnyConnection


async def check(
    connection: AnyConnection,
    organization: str,
    key: bytes | None,
    known: Head | None = None,
    anchor: Anchor | None = None,
) -> Verified:
    """Verify a stored chain up to its head.

    `known` is a head seen before, which must be in it, and `anchor` one that the log signed. In a
    snapshot whose scope has the organization. AuditError: the first position that is wrong.
    """
    after, head = await audit.ends(connection, organization)
    start_of(anchor, after, datetime.now(UTC))
    chain = Chain(organization, after)
    heads = {one.seq: one for one in (known, anchor and anchor.head) if one is not None}
    if known is not None and heads[known.seq] != known:
        raise AuditError(known.seq, "was anchored as another record")
    async for row in audit.walk(connection, organization, -1):
        check_stored(chain, row, key)
        if heads.get(chain.head.seq, chain.head) != chain.head:
            raise AuditError(chain.head.seq, "is not the record that was there before")
    if heads and max(heads) > head.seq:
        raise AuditError(head.seq + 1, f"is missing, and all up to {max(heads)}")
    chain.end(head)
    return Verified(organization, head.seq - after.seq, chain.opened, head)


async def copy(connection: AnyConnection, organization: str, key: bytes) -> AsyncIterator[bytes]:
    """The lines of a copy, in a snapshot whose scope has the organization."""
    after, head = await audit.ends(connection, organization)
    yield first_line(organization, after, head)
    async for row in audit.walk(connection, organization, after.seq):
        yield line_of(row, key)
