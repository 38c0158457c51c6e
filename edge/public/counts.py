"""How many entries of an organization have which visibility.

Entries never change and `seq` has no gaps, so what was counted once is only continued.
"""

from typing import Final

from edge.public import store
from ledger.visibility import VISIBILITIES
from topics.outbox import AnyConnection

_ORGANIZATIONS_MAX: Final = 10_000
_ENTRIES_AT_ONCE: Final = 100_000


class VisibilityCounts:
    """Counts by the entries' own visibility, of entries that have money."""

    def __init__(self) -> None:
        self._counted: dict[str, tuple[int, dict[str, int]]] = {}

    async def of(
        self, connection: AnyConnection, organization: str, entries: int
    ) -> dict[str, int]:
        """The counts over the organization's first `entries`; `connection` is in its scope."""
        start, before = self._counted.get(organization, (0, dict.fromkeys(VISIBILITIES, 0)))
        counts = dict(before)
        for seq in range(start, entries, _ENTRIES_AT_ONCE):
            end = min(seq + _ENTRIES_AT_ONCE, entries)
            found = await store.count_by_visibility(connection, organization, seq, end)
            for visibility, count in found.items():
                counts[visibility] += count
        if entries > start:
            if len(self._counted) >= _ORGANIZATIONS_MAX:
                self._counted.clear()
            self._counted[organization] = (entries, counts)
        return counts
