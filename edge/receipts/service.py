"""Writing a receipt: entry, openings that the asker may see, proof, checkpoint. None is kept.

Money and details are for keys that see the donation. The donor's opening needs the scope
`donors:read` and the permission `view_donors`; without them the receipt proves the gift, not whose.
"""

import asyncio
import base64
from datetime import UTC, datetime
from typing import Final

from asyncpg import Record

from edge.audit import writing as audit
from edge.authorization import Authorization, Question
from edge.caller import Caller
from edge.database.pool import Database
from edge.donations.models import CLOSED
from edge.donations.status import Donations, Seen
from edge.errors import ProblemError
from edge.ledger.openings import openings_shown
from edge.published_log import PublishedLog, size_of
from edge.receipts import store
from edge.rights.display import Output, may_open
from edge.times import spell_time
from edge.waiting import Waiters
from ledger import keys, receipt
from ledger.visibility import Reader, Role

DONOR_SCOPE: Final = "donors:read"
_UNPAID: Final = CLOSED | {"failed"}
_RETRY_AFTER: Final = {"Retry-After": "1"}


class Receipts:
    """Receipts of donations that a key may see."""

    def __init__(
        self,
        database: Database,
        donations: Donations,
        authorization: Authorization,
        log: PublishedLog,
        master_key: bytes,
        waiters: Waiters[str],
    ) -> None:
        self._database = database
        self._donations = donations
        self._authorization = authorization
        self._log = log
        self._key_ring = keys.KeyRing(master_key)
        self._waiters = waiters

    async def render(
        self, caller: Caller, donation: str, *, with_openings: bool, wait_s: float
    ) -> bytes:
        """The `.tlog-proof` file; ProblemError 409 while it cannot be, after at most `wait_s`."""
        deadline = asyncio.get_running_loop().time() + wait_s

        async def look() -> tuple[Seen, Record | None]:
            seen = await self._donations.find(caller, donation)
            async with self._database.transaction([seen.organization]) as connection:
                return seen, await store.find_entry(connection, seen.organization, donation)

        def is_settled(found: tuple[Seen, Record | None]) -> bool:
            return found[1] is not None or found[0].status in _UNPAID

        seen, entry = await self._waiters.until(donation, look, is_settled, wait_s)
        if entry is None:
            if seen.status in _UNPAID:
                raise ProblemError("no_receipt")
            raise ProblemError("not_yet_covered", "The gift is not recorded.", headers=_RETRY_AFTER)
        left_s = max(0.0, deadline - asyncio.get_running_loop().time())
        note = await self._log.note_covering(entry["index"], left_s)
        if note is None:
            raise ProblemError("not_yet_covered", headers=_RETRY_AFTER)
        openings: dict[str, bytes] = {}
        if with_openings:
            openings = await self._openings(caller, seen.organization, entry)
        proof = self._log.proofs(size_of(note)).prove_inclusion(entry["index"])
        return receipt.render(entry["bytes"], openings, entry["index"], proof, note)

    async def _openings(self, caller: Caller, organization: str, entry: Record) -> dict[str, bytes]:
        shows_donor = DONOR_SCOPE in caller.scopes and await self._authorization.is_allowed(
            Question(f"organization:{organization}", "view_donors", caller.subject)
        )
        reader = Reader(Role.DONOR, spell_time(datetime.now(UTC)))
        async with self._database.transaction([organization]) as connection:
            shown = await openings_shown(connection, organization, [entry], reader)
            openings = shown.get(entry["id"], {})
            row = await store.find_donor(connection, organization, entry["id"])
            if row is not None and may_open(Output.STAFF if shows_donor else Output.RECEIPT):
                wrapped = await store.find_data_key(connection, organization, row["profile"])
                if wrapped is not None:
                    data_key = self._key_ring.unwrap(wrapped, row["profile"])
                    sealed = base64.b64decode(row["ciphertext"], validate=True)
                    audit.personal_read(row["profile"])
                    openings["donor"] = keys.decrypt(data_key, sealed, row["profile"].encode())
        return openings
