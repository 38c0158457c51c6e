"""What the API offers of donors."""

from typing import Any, Final

from edge.access import Access
from edge.donors.models import DonorGiftList, DonorList, DonorProfile
from edge.operation import ORGANIZATION, PAGE, Operation, choice, parameter

_LIST: Final = "/v1/organizations/{organization}/donors"
_ONE: Final = f"{_LIST}/{{donor}}"
_DONOR: Final = parameter("donor", "path", "The donor's `prof_…` id.", {"type": "string"})
_GET: Final[dict[str, Any]] = {
    "method": "get",
    "status": 200,
    "access": Access(scope="donors:read", permission="view_donors", is_fresh=True),
    "reads_personal_data": True,
}

DONORS: Final = (
    Operation(
        path=_LIST,
        identifier="listDonors",
        summary="Who gave, by when they first did. Each read is noted.",
        answer=DonorList,
        parameters=(ORGANIZATION, *PAGE, choice("email", "The person with this mail address.")),
        problems=("query_not_accepted",),
        **_GET,
    ),
    Operation(
        path=_ONE,
        identifier="showDonor",
        summary="One donor. Each read is noted.",
        answer=DonorProfile,
        parameters=(ORGANIZATION, _DONOR),
        problems=("donor_not_found", "query_not_accepted"),
        **_GET,
    ),
    Operation(
        path=f"{_ONE}/gifts",
        identifier="listGiftsOfDonor",
        summary="What a donor gave, oldest first. Each read is noted.",
        answer=DonorGiftList,
        parameters=(ORGANIZATION, _DONOR, *PAGE),
        problems=("donor_not_found", "query_not_accepted"),
        **_GET,
    ),
)
