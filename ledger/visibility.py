"""Who sees what of an entry: the one decision that every page, export, receipt and total asks.

Rules (ledger format, sections 3 and 5):
- the entry's own text is in the public log, whatever its visibility; what is decided here is which
  of its sealed sections are opened, and whether its amounts count in published sums;
- visibilities are ordered: at every moment the next one shows at least what the one before shows
  (nothing; a share in sums; that, and from a day on the entry itself; the entry at once);
- a `visibility_change` only widens, and what either label shows is shown: nothing shown is hidden;
- a donor's opening is no matter of visibility: it is never among the sections decided here.

Times are texts of the format, which compare as they sort. "Now" is the business clock's.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import Any, Final, NamedTuple

import orjson

from amply_verify.entry import is_time
from amply_verify.errors import EntryError

VISIBILITIES: Final = ("internal_only", "public_aggregated", "delayed_public", "public_full")
"""From the narrowest to the widest."""

OPENED_SECTIONS: Final = ("money", "details")

_RANK: Final = {name: rank for rank, name in enumerate(VISIBILITIES)}
# The last field of an entry, since its keys are sorted; no text inside can end like this.
_SHOWN_TAIL: Final = b'"visibility":"public_full"}'


class Label(NamedTuple):
    """A visibility, with its day exactly when it is `delayed_public`."""

    visibility: str
    public_after: str | None


class Level(IntEnum):
    """What a reader gets beside the entry's text."""

    LOG_ONLY = 0
    IN_SUMS = 1
    OPENED = 2


class Role(Enum):
    """In which capacity somebody reads.

    PUBLIC is everybody, and members who may view no more than the public ledger. MEMBER may view
    the internal ledger of some funds, or of the whole organization; AUDITOR exports all of it;
    DONOR reads the entry of a gift of their own.
    """

    PUBLIC = "public"
    MEMBER = "member"
    AUDITOR = "auditor"
    DONOR = "donor"


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads, and when by the business clock.

    `funds` are those whose internal ledger a MEMBER may view; None means all of the organization's.
    """

    role: Role
    now: str
    funds: frozenset[str] | None = None

    @property
    def sees_all(self) -> bool:
        """Whether labels and funds make no difference to this reader."""
        return self.role is not Role.PUBLIC and self.funds is None


#: What outsiders get by label; `True`: its day has come. Whoever may see behind it gets it OPENED.
_OUTSIDE: Final[dict[tuple[str, bool], Level]] = {
    ("internal_only", False): Level.LOG_ONLY,
    ("public_aggregated", False): Level.IN_SUMS,
    ("delayed_public", False): Level.IN_SUMS,
    ("delayed_public", True): Level.OPENED,
    ("public_full", False): Level.OPENED,
}


def level(
    own: Label, change: Label | None, reader: Reader, funds: frozenset[str] | None = None
) -> Level:
    """What the reader gets of an entry whose own label is `own` and whose newest change `change`.

    `funds` are those that the entry's money names, None when it has no money. An entry over several
    funds needs the right on all; one without money needs that on the whole organization.
    """
    if reader.sees_all or (
        reader.role is Role.MEMBER and reader.funds is not None and _covers(reader.funds, funds)
    ):
        return Level.OPENED
    return max(_outside(label, reader.now) for label in (own, change) if label is not None)


def _covers(permitted: frozenset[str], funds: frozenset[str] | None) -> bool:
    return bool(funds) and permitted.issuperset(funds or ())


def _outside(label: Label, now: str) -> Level:
    is_over = label.public_after is not None and label.public_after <= now
    return _OUTSIDE[label.visibility, is_over]


def level_at_first(visibility: str) -> Level:
    """What the public gets of an entry recorded with this visibility, until something opens it."""
    return _OUTSIDE[visibility, False]


def next_opening(labels: Iterable[Label | None], now: str) -> str | None:
    """The earliest day after `now` on which one of these labels opens an entry."""
    days = (label.public_after for label in labels if label is not None)
    return min((day for day in days if day is not None and day > now), default=None)


def is_wider(new: Label, current: Label) -> bool:
    """Whether `new` shows more than `current`: a later visibility, or an earlier day."""
    if new.visibility != current.visibility:
        return _RANK[new.visibility] > _RANK[current.visibility]
    return (new.public_after or "") < (current.public_after or "")


def label_of(entry: bytes) -> Label:
    """The label that an entry's own bytes carry."""
    if entry.endswith(_SHOWN_TAIL):
        return Label("public_full", None)
    fields = orjson.loads(entry)
    return Label(fields["visibility"], fields.get("public_after"))


def label_asked(details: dict[str, Any]) -> Label:
    """The label that a `visibility_change` with these details gives; its `to` is a visibility.

    EntryError unless `public_after` is a time exactly with `delayed_public`.
    """
    label = Label(details["to"], details.get("public_after"))
    if "public_after" in details and not is_time(label.public_after):
        raise EntryError("details.public_after is not of the form YYYY-MM-DDTHH:MM:SS.ffffffZ")
    if (label.visibility == "delayed_public") != (label.public_after is not None):
        raise EntryError("details.public_after belongs to delayed_public, which needs it")
    return label


def details_of(label: Label) -> dict[str, Any]:
    """The details of a `visibility_change` that gives this label; `label_asked` reads them."""
    day = {} if label.public_after is None else {"public_after": label.public_after}
    return {"to": label.visibility, **day}


def funds_of(opening: bytes) -> frozenset[str]:
    """The funds that an opening of `money` names."""
    postings = orjson.loads(opening)["value"]["postings"]
    return frozenset(posting["fund"] for posting in postings)
