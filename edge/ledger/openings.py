"""Which openings of entries a reader is given. `ledger/visibility.py` decides; this looks up.

The entries themselves are given to everybody, since the log is public; a donor's opening is given
by receipts only.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from asyncpg import Record

from edge.ledger import store
from ledger.visibility import Label, Level, Reader, funds_of, label_of, level, next_opening
from topics.outbox import AnyConnection

Openings = dict[str, dict[str, bytes]]
"""Entry id -> section -> the opening's canonical JSON."""

_SHOWN = Label("public_full", None)


@dataclass(frozen=True, slots=True)
class Shown:
    """What a reader is given beside the entries.

    `labels` are the newest ones; `next_opening` is when, by the business clock, the public will be
    given more of these entries, if that is known.
    """

    openings: Openings
    labels: dict[str, Label]
    next_opening: str | None


async def openings_shown(
    connection: AnyConnection, organization: str, rows: Sequence[Record], reader: Reader
) -> Openings:
    """The openings of money and details that `reader` is given of these entries.

    `rows` are entries of the organization with `id` and `bytes`; `connection` is in a transaction
    whose scope includes it. An entry of which nothing is given is left out.
    """
    return (await show(connection, organization, rows, reader)).openings


async def show(
    connection: AnyConnection, organization: str, rows: Sequence[Record], reader: Reader
) -> Shown:
    """The same with labels, and with how long it holds."""
    own = {row["id"]: label_of(row["bytes"]) for row in rows}
    sealed = [entry for entry, label in own.items() if label != _SHOWN]
    if not sealed:
        return Shown({}, own, None)
    changed = await store.changes(connection, organization, sealed)
    openings = await _openings(connection, organization, sealed, own, changed, reader)
    days = [*own.values(), *changed.values()]
    return Shown(openings, own | changed, next_opening(days, reader.now))


async def _openings(
    connection: AnyConnection,
    organization: str,
    sealed: Sequence[str],
    own: Mapping[str, Label],
    changed: Mapping[str, Label],
    reader: Reader,
) -> Openings:
    def is_opened(entry: str, funds: frozenset[str] | None = None) -> bool:
        return level(own[entry], changed.get(entry), reader, funds) is Level.OPENED

    if reader.funds is None:
        wanted = [entry for entry in sealed if is_opened(entry)]
        return await store.openings(connection, organization, wanted) if wanted else {}
    # Which funds an entry is about is sealed with its money: look first, then decide.
    found = await store.openings(connection, organization, sealed)
    return {
        entry: sections
        for entry, sections in found.items()
        if is_opened(entry, funds_of(sections["money"]) if "money" in sections else None)
    }
