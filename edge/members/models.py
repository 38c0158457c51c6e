"""Members and invitations as the API shows and takes them."""

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from contracts.message import OrganizationId
from edge.donations.models import EmailAddress
from edge.resources import patch_of

Role = Literal["owner", "admin", "finance", "content", "viewer", "auditor", "board"]


def _moment(value: str) -> str:
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise ValueError("a time is RFC 3339, such as 2027-01-31T00:00:00Z") from None
    if moment.tzinfo is None or not 1970 < moment.year < 9999:
        raise ValueError("a time has its offset from UTC")
    return value


Moment = Annotated[
    str,
    Field(min_length=20, max_length=40, json_schema_extra={"format": "date-time"}),
    AfterValidator(_moment),
]


class MemberSettings(BaseModel):
    """A member's role; an auditor's may end at a time."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    role: Role
    expires_at: Moment | None = None

    @model_validator(mode="after")
    def _only_auditors_end(self) -> Self:
        if self.expires_at is not None and self.role != "auditor":
            raise ValueError("only an auditor's role has an end")
        return self

    @property
    def ends_at(self) -> datetime | None:
        """When the role ends."""
        return None if self.expires_at is None else datetime.fromisoformat(self.expires_at)


MemberSettingsPatch = patch_of(MemberSettings)


class Invitation(MemberSettings):
    """Whom to invite, and what they shall be."""

    email: EmailAddress


class Acceptance(BaseModel):
    """The token in the invitation's mail."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    token: Annotated[str, Field(pattern=r"^inv_[0-9A-Za-z_-]{43}$")]


class Member(BaseModel):
    """A person's one role in an organization. `id` is the person's.

    `name` and `email` are what their provider says: for those who may manage members, when they
    look; null for all others, and in answers to changes.
    """

    id: str
    object: Literal["member"]
    organization: OrganizationId
    name: str | None
    email: str | None
    role: Role
    expires_at: str | None
    created_at: str
    updated_at: str


class MemberPage(BaseModel):
    """Those who came first come first."""

    object: Literal["list"]
    has_more: bool
    next_cursor: str | None
    data: list[Member]


class InvitationShown(BaseModel):
    """An invitation. Whose address it went to is not kept in clear, and not told."""

    id: str
    object: Literal["invitation"]
    organization: OrganizationId
    role: Role
    role_expires_at: str | None
    status: Literal["open", "expired", "accepted", "revoked"]
    invited_by: str
    accepted_by: str | None
    expires_at: str
    created_at: str


class InvitationPage(BaseModel):
    """Oldest first."""

    object: Literal["list"]
    has_more: bool
    next_cursor: str | None
    data: list[InvitationShown]


class StaffRole(BaseModel):
    """A role at the platform."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    role: Literal["support", "operations", "superuser"]


class StaffMember(BaseModel):
    """One of the platform's people. `id` is the person's."""

    id: str
    object: Literal["staff_member"]
    role: Literal["support", "operations", "superuser"]
    created_at: str
    updated_at: str


class StaffList(BaseModel):
    """All of them, oldest first."""

    object: Literal["list"]
    has_more: Literal[False]
    next_cursor: None
    data: list[StaffMember]
