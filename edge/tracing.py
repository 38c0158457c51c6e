"""`traceparent`: what a request, its messages and its log lines have in common.

Source: W3C Trace Context. An id that a client gives is kept, so that its trace and ours are one; it
is a name for looking things up, and nothing is trusted because of it.
"""

import re
import secrets
from dataclasses import dataclass
from typing import Final

_GIVEN: Final = re.compile(r"(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_NONE: Final = re.compile(r"0+")


@dataclass(frozen=True, slots=True)
class Trace:
    """`id` is the whole trace's (32 hex digits), `span` this request's (16), `flags` two."""

    id: str
    span: str
    flags: str

    @property
    def parent(self) -> str:
        """The header for whatever this request causes."""
        return f"00-{self.id}-{self.span}-{self.flags}"


def continued(values: list[str]) -> Trace:
    """The trace that a request's `traceparent` belongs to; a new one when it is none, or several.

    Later versions may add fields, version 00 has none.
    """
    given = _GIVEN.fullmatch(values[0]) if len(values) == 1 else None
    span = secrets.token_hex(8)
    if given is None or (given[4] and values[0].startswith("00")):
        return Trace(secrets.token_hex(16), span, "00")
    if _NONE.fullmatch(given[1]) or _NONE.fullmatch(given[2]):
        return Trace(secrets.token_hex(16), span, "00")
    # Of the flags only the first is known: whether somebody records the trace.
    return Trace(given[1], span, f"{int(given[3], 16) & 1:02x}")
