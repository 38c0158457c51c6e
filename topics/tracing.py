"""The trace that messages belong to: W3C Trace Context, as CloudEvents' extension `traceparent`.

Whoever handles a request or a message sets it; what is prepared meanwhile carries it. It is there
to follow one cause through the logs: nothing depends on it.
"""

from contextvars import ContextVar
from typing import Final

HEADER: Final = "ce_traceparent"

#: `00-<trace id>-<span id>-<flags>`; None: nobody follows.
PARENT: Final[ContextVar[str | None]] = ContextVar("traceparent", default=None)
