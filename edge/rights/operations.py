"""What the API offers of donors' rights."""

from typing import Any, Final

from edge.access import Access
from edge.operation import OF_BODY, ORGANIZATION, Operation, parameter
from edge.rights.models import (
    Consent,
    ConsentChange,
    DisplayChange,
    DonorData,
    Erasure,
    ErasureRequest,
    GiftDisplay,
)

_DONOR: Final = "/v1/organizations/{organization}/donors/{donor}"
_GIFT: Final = "/v1/donations/{donation}"
_OF_DONOR: Final = (
    ORGANIZATION,
    parameter("donor", "path", "The donor's profile, `prof_…`.", {"type": "string"}),
)
_OF_GIFT: Final = (parameter("donation", "path", "The gift, `don_…`.", {"type": "string"}),)
_READ: Final = Access(scope="donors:read", permission="view_donors", is_fresh=True)
_OWN_READ: Final = Access(scope="donations:read", permission="view_donations", on="own")
_OWN_WRITE: Final = Access(
    scope="donations:write", permission="collect_donation", on="own", is_fresh=True
)
_UNKNOWN: Final = ("donor_not_found", "query_not_accepted")
_UNKNOWN_GIFT: Final = ("donation_not_found", "gift_without_donor", "query_not_accepted")
_GET: Final[dict[str, Any]] = {"method": "get", "status": 200}
_PUT: Final[dict[str, Any]] = {"method": "put", "status": 200}

RIGHTS: Final = (
    Operation(
        path=f"{_DONOR}/data",
        identifier="exportDonorData",
        summary="Everything that is kept about one person, machine-readable (GDPR article 15).",
        answer=DonorData,
        access=Access(
            scope="donors:read", permission="view_donors", is_fresh=True, needs_step_up=True
        ),
        parameters=_OF_DONOR,
        problems=_UNKNOWN,
        reads_personal_data=True,
        **_GET,
    ),
    Operation(
        method="post",
        path=f"{_DONOR}/erasure",
        identifier="eraseDonor",
        summary="Forget a donor everywhere, within seconds. It cannot be undone.",
        status=202,
        answer=Erasure,
        body=ErasureRequest,
        access=Access(
            scope="donors:erase", permission="erase_donor", is_fresh=True, needs_step_up=True
        ),
        parameters=_OF_DONOR,
        headers=("Location",),
        problems=(*_UNKNOWN, *OF_BODY),
    ),
    Operation(
        path=f"{_DONOR}/erasure",
        identifier="showDonorErasure",
        summary="How far the erasure of a donor is.",
        answer=Erasure,
        access=_READ,
        parameters=_OF_DONOR,
        problems=_UNKNOWN,
        **_GET,
    ),
    Operation(
        path=f"{_DONOR}/consents/marketing",
        identifier="showDonorConsent",
        summary="Whether a donor may be sent marketing.",
        answer=Consent,
        access=_READ,
        parameters=_OF_DONOR,
        problems=_UNKNOWN,
        reads_personal_data=True,
        **_GET,
    ),
    Operation(
        path=f"{_DONOR}/consents/marketing",
        identifier="setDonorConsent",
        summary="Note that a donor agreed to marketing, or takes that back.",
        answer=Consent,
        body=ConsentChange,
        access=Access(scope="donors:read", permission="view_donors", is_fresh=True),
        parameters=_OF_DONOR,
        problems=(*_UNKNOWN, *OF_BODY),
        **_PUT,
    ),
    Operation(
        path=f"{_GIFT}/consents/marketing",
        identifier="showGiftConsent",
        summary="Whether a gift's donor may be sent marketing.",
        answer=Consent,
        access=_OWN_READ,
        parameters=_OF_GIFT,
        problems=("donor_not_found", *_UNKNOWN_GIFT),
        **_GET,
    ),
    Operation(
        path=f"{_GIFT}/consents/marketing",
        identifier="setGiftConsent",
        summary="Note what a gift's donor answered when asked for marketing, beside the gift.",
        answer=Consent,
        body=ConsentChange,
        access=_OWN_WRITE,
        parameters=_OF_GIFT,
        problems=("donor_not_found", *_UNKNOWN_GIFT, *OF_BODY),
        **_PUT,
    ),
    Operation(
        path=f"{_GIFT}/display",
        identifier="showGiftDisplay",
        summary="How a gift's donor wants to be shown, and is.",
        answer=GiftDisplay,
        access=_OWN_READ,
        parameters=_OF_GIFT,
        problems=("donation_not_found", "query_not_accepted"),
        **_GET,
    ),
    Operation(
        path=f"{_GIFT}/display",
        identifier="setGiftDisplay",
        summary="Show a gift's donor otherwise, at once. Never more than the ledger shows.",
        answer=GiftDisplay,
        body=DisplayChange,
        access=_OWN_WRITE,
        parameters=_OF_GIFT,
        problems=(*_UNKNOWN_GIFT, *OF_BODY),
        **_PUT,
    ),
)
