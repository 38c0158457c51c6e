"""What is being asked at the moment: who asks for which operation, from where, in which request.

One value for the time of a request, so that whatever writes says only what it wrote. Without a
request (a command of an operator) the operator is who asks.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, Protocol

from ledger.audit import PLATFORM, Deed, Sealed, seal_client

_ACTION_OF_OPERATORS: Final = "command"


class Actor(Protocol):
    """Who acts: a caller (`edge/caller.py`), or somebody who is none."""

    @property
    def id(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def organization(self) -> str: ...
    @property
    def session(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class Somebody:
    """An actor that is no caller; of no organization unless it says so."""

    kind: str
    id: str
    organization: str = ""
    session: str | None = None


OPERATOR: Final = Somebody("operator", "cli")
NOBODY: Final = Somebody("visitor", "anonymous")


@dataclass(slots=True)
class Asking:
    """`network` is the client's, in the clear: it leaves this value sealed only.

    What happens meanwhile is noted in the last two: whether a row was written, and which resource's
    personal data was read.
    """

    actor: Actor = OPERATOR
    action: str = _ACTION_OF_OPERATORS
    request: str | None = None
    network: str | None = field(default=None, repr=False)
    key: bytes = field(default=b"", repr=False)
    has_written: bool = False
    personal_read: str | None = None

    def client(self) -> Sealed | None:
        """The client's network, sealed anew."""
        return None if self.network is None else seal_client(self.network, self.key)

    def deed(
        self,
        outcome: str,
        resource: str | None,
        organization: str | None = None,
        *,
        code: str | None = None,
        times: int = 1,
        before: str | None = None,
        after: str | None = None,
    ) -> Deed:
        """A row for the log; without an organization it is the actor's own, else the platform's."""
        return Deed(
            organization=organization or self.actor.organization or PLATFORM,
            occurred_at=datetime.now(UTC),
            actor_kind=self.actor.kind,
            actor=self.actor.id,
            credential=self.actor.session,
            action=self.action,
            resource=resource,
            request=self.request,
            outcome=outcome,
            code=code,
            times=times,
            before=before,
            after=after,
            client=self.client(),
        )


_current: ContextVar[Asking | None] = ContextVar("audit_asking", default=None)


def current() -> Asking:
    """Who asks now; an operator where nobody was named."""
    return _current.get() or Asking()


@contextmanager
def asking(value: Asking) -> Iterator[Asking]:
    """Whatever is written inside is written by these."""
    token = _current.set(value)
    try:
        yield value
    finally:
        _current.reset(token)
