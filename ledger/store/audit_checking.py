"""An organization's audit log checked as it is stored, record by record, in one snapshot."""

from collections.abc import AsyncIterator

from ledger.audit import AuditError, Chain, Head
from ledger.audit_export import Verified, check_stored, first_line, line_of
from ledger.store import audit
from ledger.store.connection import AnyConnection


async def check(
    connection: AnyConnection, organization: str, key: bytes | None, known: Head | None = None
) -> Verified:
    """Verify a stored chain up to its head; `known` is a head seen before, which must be in it.

    In a snapshot whose scope has the organization. AuditError: the first position that is wrong.
    """
    after, head = await audit.ends(connection, organization)
    chain = Chain(organization, after)
    async for row in audit.walk(connection, organization, -1):
        check_stored(chain, row, key)
        if known is not None and chain.head.seq == known.seq and chain.head != known:
            raise AuditError(known.seq, "is not the record that was there before")
    chain.end(head)
    if known is not None and known.seq > head.seq:
        raise AuditError(known.seq, "was there before and is missing")
    return Verified(organization, head.seq - after.seq, chain.opened, head)


async def copy(connection: AnyConnection, organization: str, key: bytes) -> AsyncIterator[bytes]:
    """The lines of a copy, in a snapshot whose scope has the organization."""
    after, head = await audit.ends(connection, organization)
    yield first_line(organization, after, head)
    async for row in audit.walk(connection, organization, after.seq):
        yield line_of(row, key)
