"""API keys as the API shows and takes them."""

import re
from datetime import datetime
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from contracts.message import FundId
from edge.donations.models import Name
from edge.members.models import Moment
from edge.settings import Environment

KeyKind = Literal["secret", "publishable"]
_ORIGIN: Final = re.compile(
    r"https://[a-z0-9.-]{1,253}(:[0-9]{1,5})?|http://localhost(:[0-9]{1,5})?"
)


def _origin(value: str) -> str:
    if not _ORIGIN.fullmatch(value):
        raise ValueError("an origin is https://host or https://host:port, in lower case (RFC 6454)")
    return value


ScopeName = Annotated[str, Field(pattern=r"^[a-z_]{1,30}(:[a-z_]{1,30})?$")]
Origin = Annotated[str, Field(max_length=300), AfterValidator(_origin)]


class ApiKeyRequest(BaseModel):
    """A key to make. A publishable one may stand in web pages of its origins: it makes gifts.

    `funds` narrows the scope `ledger:read_internal` to these funds.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    name: Name
    kind: KeyKind = "secret"
    scopes: Annotated[list[ScopeName], Field(max_length=50)] = []
    funds: Annotated[list[FundId], Field(max_length=100)] = []
    origins: Annotated[list[Origin], Field(max_length=20)] = []
    expires_at: Moment | None = None

    @model_validator(mode="after")
    def _of_its_kind(self) -> Self:
        if self.kind == "publishable":
            if self.scopes or self.funds:
                raise ValueError("a publishable key has no scopes to choose")
            if not self.origins:
                raise ValueError("a publishable key names the origins of its pages")
        elif self.origins:
            raise ValueError("only a publishable key is bound to origins")
        return self

    @property
    def ends_at(self) -> datetime | None:
        """When the key ends."""
        return None if self.expires_at is None else datetime.fromisoformat(self.expires_at)


class Rotation(BaseModel):
    """How long the secret before still serves."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    overlap_hours: Annotated[int, Field(ge=0, le=168)] = 24


class ApiKeyShown(BaseModel):
    """A key. `hint` is how its secret begins; `last_used_at` is true to the hour.

    `secret` is in the answer that made it alone: nobody can show it again. After a rotation the
    secret before serves until `previous_until`.
    """

    id: str
    object: Literal["api_key"]
    holder: str
    name: str
    kind: KeyKind
    environment: Environment
    hint: str | None
    scopes: list[str]
    origins: list[str]
    status: Literal["active", "expired", "revoked"]
    expires_at: str | None
    revoked_at: str | None
    rotated_at: str | None
    previous_until: str | None
    last_used_at: str | None
    created_by: str | None
    created_at: str
    secret: str | None


class ApiKeyPage(BaseModel):
    """Newest first."""

    object: Literal["list"]
    has_more: bool
    next_cursor: str | None
    data: list[ApiKeyShown]
