"""How much of a donor is shown: the one decision that every output asks. Pure.

Rules: a public output names a donor only if the donor chose `public` and the ledger's visibility
opens the gift's entry to everybody; nothing but a name is ever shown there. Exports, receipts,
events and logs name nobody, whatever was chosen: they are copied and kept. What tells gifts of one
person together (address, profile, a hash of either) leaves only to those who may see donors, and to
the donor. The amount is the ledger's to show (`ledger/visibility.py`): a choice made later cannot
hide what the log has shown, it takes away the name.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, Literal

from ledger.visibility import Level

Display = Literal["public", "amount_only", "anonymous"]
#: From the most private to the least.
DISPLAYS: Final[tuple[Display, ...]] = ("anonymous", "amount_only", "public")


class Output(Enum):
    """Where something about a gift is shown."""

    PUBLIC_PAGE = "public_page"
    PUBLIC_API = "public_api"
    WALL = "wall"
    FEED = "feed"
    EXPORT = "export"
    RECEIPT = "receipt"
    EVENT = "event"
    LOG = "log"
    #: For those whom SpiceDB lets see donors, and for the donor.
    STAFF = "staff"
    OWN = "own"


#: Whether an output may name a donor who chose so.
_NAMES: Final[dict[Output, bool]] = {
    Output.PUBLIC_PAGE: True,
    Output.PUBLIC_API: True,
    Output.WALL: True,
    Output.FEED: True,
    Output.EXPORT: False,
    Output.RECEIPT: False,
    Output.EVENT: False,
    Output.LOG: False,
}
_TRUSTED: Final = frozenset({Output.STAFF, Output.OWN})


@dataclass(frozen=True, slots=True)
class Shown:
    """What of a donor may leave; `has_amount`: the gift's money is for this reader to see."""

    name: str | None
    email: str | None
    profile: str | None
    has_amount: bool


def shown_of(
    donor: Mapping[str, Any] | None,
    profile: str | None,
    display: Display | None,
    level: Level,
    output: Output,
) -> Shown:
    """What an output shows of a gift's donor.

    `donor` are the opened fields (`name`, `email`), None when nobody may open them or they are
    forgotten; `display` None is a gift whose choice is not known: nobody is named. `level` is what
    the public gets of the gift's entry.
    """
    name, email = ((donor or {}).get(field) for field in ("name", "email"))
    if output in _TRUSTED:
        return Shown(name, email, profile, has_amount=True)
    is_open = level is Level.OPENED
    is_named = is_open and display == "public" and _NAMES[output]
    return Shown(name if is_named else None, None, None, has_amount=is_open)


def may_open(output: Output) -> bool:
    """Whether an output may carry a donor's opening itself: whatever it has, with its salt."""
    return output in _TRUSTED


def effective(display: Display | None, level: Level) -> Display:
    """How the public sees a donor's choice: never more than the ledger shows of the gift."""
    if level is not Level.OPENED or display is None:
        return "anonymous"
    return display
