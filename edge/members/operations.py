"""What the API offers of members, invitations and the platform's staff."""

from typing import Any, Final

from edge.access import Access
from edge.members.models import (
    Acceptance,
    Invitation,
    InvitationPage,
    InvitationShown,
    Member,
    MemberPage,
    MemberSettingsPatch,
    StaffList,
    StaffMember,
    StaffRole,
)
from edge.operation import (
    IDEMPOTENCY_KEY,
    IF_MATCH,
    OF_BODY,
    OF_CHANGE,
    OF_COMMAND,
    ORGANIZATION,
    PAGE,
    Operation,
    choice,
    parameter,
)

_MEMBERS: Final = "/v1/organizations/{organization}/members"
_MEMBER: Final = f"{_MEMBERS}/{{member}}"
_INVITATIONS: Final = "/v1/organizations/{organization}/invitations"
_STAFF: Final = "/v1/staff/members"
_PERSON: Final = parameter("member", "path", "The person's `usr_…` id.", {"type": "string"})
_READ: Final = Access(scope="members:read", permission="view_members")
_MANAGE: Final[dict[str, Any]] = {
    "scope": "members:write",
    "permission": "manage_members",
    "is_fresh": True,
    "is_for_persons": True,
}
_STRONG: Final = Access(needs_step_up=True, **_MANAGE)
_OF_STAFF: Final = Access(
    scope="staff", permission="manage_staff", on="platform", is_fresh=True, needs_step_up=True
)
_RULES: Final = ("member_not_found", "role_above_own", "last_owner", "organization_state")

MEMBERS: Final = (
    Operation(
        method="get",
        path=_MEMBERS,
        identifier="listMembers",
        summary="Who has which role, oldest first.",
        status=200,
        answer=MemberPage,
        access=_READ,
        parameters=(
            ORGANIZATION,
            choice("role", "Of this role."),
            *PAGE,
        ),
        problems=("query_not_accepted",),
    ),
    Operation(
        method="get",
        path=_MEMBER,
        identifier="showMember",
        summary="A person's role.",
        status=200,
        answer=Member,
        access=_READ,
        parameters=(ORGANIZATION, _PERSON),
        headers=("ETag",),
        problems=("member_not_found", "query_not_accepted"),
    ),
    Operation(
        method="patch",
        path=_MEMBER,
        identifier="changeMember",
        summary="Give another role, up to one's own. It counts at once.",
        status=200,
        answer=Member,
        body=MemberSettingsPatch,
        access=_STRONG,
        parameters=(ORGANIZATION, _PERSON, IF_MATCH),
        headers=("ETag",),
        problems=(*_RULES, *OF_CHANGE),
    ),
    Operation(
        method="delete",
        path=_MEMBER,
        identifier="removeMember",
        summary="Take the role. It counts at once.",
        status=204,
        answer=(),
        access=_STRONG,
        parameters=(ORGANIZATION, _PERSON),
        problems=("precondition_failed", "query_not_accepted", *_RULES),
    ),
    Operation(
        method="post",
        path="/v1/organizations/{organization}/leave",
        identifier="leaveOrganization",
        summary="Give up one's own role.",
        status=204,
        answer=(),
        access=Access(scope="members:write", permission="view_organization", is_for_persons=True),
        parameters=(ORGANIZATION,),
        problems=("member_not_found", "last_owner", "organization_state", "query_not_accepted"),
    ),
    Operation(
        method="post",
        path=_INVITATIONS,
        identifier="inviteMember",
        summary="Invite somebody by mail, for seven days.",
        status=201,
        answer=InvitationShown,
        body=Invitation,
        access=_STRONG,
        parameters=(ORGANIZATION, IDEMPOTENCY_KEY),
        headers=("Location", "Idempotent-Replayed"),
        problems=("role_above_own", "too_many_invitations", "organization_state", *OF_COMMAND),
    ),
    Operation(
        method="get",
        path=_INVITATIONS,
        identifier="listInvitations",
        summary="Invitations, oldest first.",
        status=200,
        answer=InvitationPage,
        access=Access(scope="members:read", permission="manage_members", is_for_persons=True),
        parameters=(
            ORGANIZATION,
            choice("status", "Of this status.", "open", "expired", "accepted", "revoked"),
            *PAGE,
        ),
        problems=("query_not_accepted",),
    ),
    Operation(
        method="delete",
        path=f"{_INVITATIONS}/{{invitation}}",
        identifier="revokeInvitation",
        summary="Let an invitation open nothing any more.",
        status=204,
        answer=(),
        access=Access(**_MANAGE),
        parameters=(
            ORGANIZATION,
            parameter("invitation", "path", "Its `inv_…` id.", {"type": "string"}),
        ),
        problems=(
            "invitation_not_found",
            "invitation_over",
            "organization_state",
            "query_not_accepted",
        ),
    ),
    Operation(
        method="post",
        path="/v1/invitations/accept",
        identifier="acceptInvitation",
        summary="Become a member by the token in a mail to one's own verified address.",
        status=200,
        answer=Member,
        body=Acceptance,
        access=Access(scope="members:write", on="caller", is_for_persons=True),
        problems=(
            "invitation_not_found",
            "invitation_of_another",
            "invitation_over",
            "member_already",
            "organization_state",
            "query_not_accepted",
            *OF_BODY,
        ),
        headers=("ETag",),
    ),
    Operation(
        method="get",
        path=_STAFF,
        identifier="listStaff",
        summary="Who works for the platform.",
        status=200,
        answer=StaffList,
        access=Access(scope="staff", permission="manage_staff", on="platform"),
        problems=("query_not_accepted",),
    ),
    Operation(
        method="put",
        path=f"{_STAFF}/{{member}}",
        identifier="setStaffRole",
        summary="Give a person a role at the platform.",
        status=200,
        answer=StaffMember,
        body=StaffRole,
        access=_OF_STAFF,
        parameters=(_PERSON,),
        problems=("last_owner", "member_not_found", "query_not_accepted", *OF_BODY),
    ),
    Operation(
        method="delete",
        path=f"{_STAFF}/{{member}}",
        identifier="removeStaffRole",
        summary="Take a person's role at the platform. It counts at once.",
        status=204,
        answer=(),
        access=_OF_STAFF,
        parameters=(_PERSON,),
        problems=("last_owner", "member_not_found", "query_not_accepted"),
    ),
)
