"""What the API offers of organizations, to anyone, their people and the platform's staff."""

from typing import Any, Final

from edge.access import PUBLIC, Access
from edge.operation import (
    ALWAYS,
    IDEMPOTENCY_KEY,
    IF_MATCH,
    IF_NONE_MATCH,
    OF_BODY,
    OF_CHANGE,
    OF_COMMAND,
    ORGANIZATION,
    PAGE,
    Operation,
    choice,
    parameter,
)
from edge.organizations.models import (
    Approval,
    Decision,
    Nothing,
    Organization,
    OrganizationApplication,
    OrganizationPage,
    OrganizationProfilePatch,
    OrganizationVisibility,
    PublicProfilePage,
)

_ALL: Final = "/v1/organizations"
_ONE: Final = f"{_ALL}/{{organization}}"
_STAFF: Final = "/v1/staff/organizations"
_READ: Final = Access(scope="organizations:read", permission="view_organization")
_REVIEW: Final[dict[str, Any]] = {"on": "platform", "is_fresh": True, "needs_step_up": True}
_OF_ACTION: Final = (
    "organization_not_found",
    "organization_state",
    "query_not_accepted",
    *OF_BODY,
)
_ANSWER: Final[dict[str, Any]] = {"status": 200, "answer": Organization, "headers": ("ETag",)}


def _staff(action: str, permission: str, summary: str, body: Any) -> Operation:
    words = "".join(word.capitalize() for word in action.split("-"))
    return Operation(
        method="post",
        path=f"{_STAFF}/{{organization}}/{action}",
        identifier=f"staff{words}",
        summary=summary,
        body=body,
        access=Access(scope="staff", permission=permission, **_REVIEW),
        parameters=(ORGANIZATION,),
        problems=_OF_ACTION,
        **_ANSWER,
    )


ORGANIZATIONS: Final = (
    Operation(
        method="post",
        path=_ALL,
        identifier="applyAsOrganization",
        summary="Ask to be taken in. Whoever asks becomes the owner; staff reviews it.",
        status=201,
        answer=Organization,
        body=OrganizationApplication,
        access=Access(scope="organizations:write", on="caller", is_for_persons=True),
        parameters=(IDEMPOTENCY_KEY,),
        headers=("ETag", "Location", "Idempotent-Replayed"),
        problems=("slug_taken", "too_many_applications", *OF_COMMAND),
    ),
    Operation(
        method="get",
        path=_ALL,
        identifier="listOrganizations",
        summary="Those that the caller belongs to, newest first.",
        status=200,
        answer=OrganizationPage,
        access=Access(scope="organizations:read", on="caller"),
        parameters=PAGE,
        problems=("query_not_accepted",),
    ),
    Operation(
        method="get",
        path=_ONE,
        identifier="showOrganization",
        summary="An organization as its people see it.",
        access=_READ,
        parameters=(ORGANIZATION, IF_NONE_MATCH),
        problems=("query_not_accepted",),
        **_ANSWER,
    ),
    Operation(
        method="patch",
        path=_ONE,
        identifier="changeOrganization",
        summary="Change what it says of itself.",
        body=OrganizationProfilePatch,
        access=Access(scope="organizations:write", permission="manage_profile"),
        parameters=(ORGANIZATION, IF_MATCH),
        problems=("organization_state", *OF_CHANGE),
        **_ANSWER,
    ),
    Operation(
        method="put",
        path=f"{_ONE}/visibility",
        identifier="setVisibility",
        summary="What coming entries show, where their fund says nothing else.",
        body=OrganizationVisibility,
        access=Access(
            scope="organizations:write",
            permission="change_visibility",
            is_fresh=True,
            needs_step_up=True,
            is_for_persons=True,
        ),
        parameters=(ORGANIZATION,),
        problems=_OF_ACTION,
        **_ANSWER,
    ),
    Operation(
        method="post",
        path=f"{_ONE}/request-review",
        identifier="requestReview",
        summary="Say that what the staff asked for is there.",
        body=Nothing,
        access=Access(
            scope="organizations:write", permission="request_review", is_for_persons=True
        ),
        parameters=(ORGANIZATION,),
        problems=_OF_ACTION,
        **_ANSWER,
    ),
    Operation(
        method="post",
        path=f"{_ONE}/withdraw",
        identifier="withdrawApplication",
        summary="Take back an application that is not decided yet.",
        body=Nothing,
        access=Access(
            scope="organizations:write",
            permission="close_organization",
            is_fresh=True,
            needs_step_up=True,
            is_for_persons=True,
        ),
        parameters=(ORGANIZATION,),
        problems=_OF_ACTION,
        **_ANSWER,
    ),
    Operation(
        method="get",
        path="/v1/public/organizations",
        identifier="listPublicOrganizations",
        summary="Verified organizations, newest first.",
        status=200,
        answer=PublicProfilePage,
        access=PUBLIC,
        parameters=(
            parameter(
                "search",
                "query",
                "Part of the name or short name.",
                {"type": "string", "minLength": 1, "maxLength": 100},
            ),
            parameter(
                "sdg",
                "query",
                "A Sustainable Development Goal.",
                {"type": "integer", "minimum": 1, "maximum": 17},
            ),
            parameter(
                "country", "query", "ISO 3166-1.", {"type": "string", "pattern": "^[A-Z]{2}$"}
            ),
            *PAGE,
            IF_NONE_MATCH,
        ),
        headers=("ETag",),
        problems=("query_not_accepted", *ALWAYS),
    ),
    Operation(
        method="get",
        path=_STAFF,
        identifier="listReviews",
        summary="All organizations for the platform's staff, those that waited longest first.",
        status=200,
        answer=OrganizationPage,
        access=Access(scope="staff", permission="view_organizations", on="platform"),
        parameters=(
            choice("status", "Of this status.", "pending", "verified", "suspended", "closed"),
            parameter(
                "review",
                "query",
                "Whose review stands so.",
                {
                    "type": "string",
                    "enum": [
                        *("requested", "information_requested", "approved", "rejected"),
                        "withdrawn",
                    ],
                },
            ),
            *PAGE,
        ),
        problems=("query_not_accepted",),
    ),
    _staff("approve", "review_organizations", "Verify it: its ledger begins.", Approval),
    _staff("reject", "review_organizations", "Do not take it in.", Decision),
    _staff("request-information", "review_organizations", "Ask its people for more.", Decision),
    _staff("suspend", "suspend_organizations", "Freeze whatever moves its money.", Decision),
    _staff("reinstate", "suspend_organizations", "Undo a suspension.", Decision),
    _staff("close", "suspend_organizations", "Let it take no gifts for good.", Decision),
)
