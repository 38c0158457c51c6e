"""What a caller needs for an operation, stated beside it. `edge/gate.py` holds everybody to it."""

from dataclasses import dataclass
from typing import Final, Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """What a caller needs: the scope, and the permission on the resource.

    `on`: `organization` is the one in the path, `own` the caller's, `platform` Amply itself,
    `caller` nothing but being somebody, `service` what only the service can tell: it asks SpiceDB.
    `is_fresh`: no remembered decision serves, since money or rights move. `needs_step_up`: a person
    must just have signed in with a second factor (RFC 9470). `is_for_persons`: no key may.
    `is_publishable`: a key that stands in web pages may.
    """

    scope: str
    permission: str | None = None
    on: Literal["organization", "own", "platform", "caller", "service"] = "organization"
    is_fresh: bool = False
    needs_step_up: bool = False
    is_for_persons: bool = False
    is_publishable: bool = False


@dataclass(frozen=True, slots=True)
class Public:
    """Anybody may."""


PUBLIC: Final = Public()
