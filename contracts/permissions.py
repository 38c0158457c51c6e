"""Permissions: relationships that SpiceDB shall hold."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from contracts.message import Body

_Object = Annotated[str, Field(pattern=r"^[a-z_]{1,64}:(\*|[A-Za-z0-9_/|=+-]{1,128})$")]


class RelationshipChange(Body):
    """`touch` or `delete` one relationship `resource#relation@subject`, both idempotent.

    One that is touched ends at `expires_at`, if that is given, by itself.
    """

    operation: Literal["touch", "delete"]
    resource: _Object
    relation: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{1,62}$")]
    subject: _Object
    expires_at: datetime | None = None


class PermissionsRequested(Body):
    """Apply these changes together."""

    changes: Annotated[tuple[RelationshipChange, ...], Field(min_length=1, max_length=500)]
