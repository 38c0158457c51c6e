"""What the API offers of funds."""

from typing import Final

from edge.access import Access
from edge.funds.models import Fund, FundChange, FundCreation, FundList
from edge.operation import IF_NONE_MATCH, Resource, choice, parameter
from edge.resources import patch_of

FundPatch: Final = patch_of(FundChange)
_FUNDS: Final = Resource(
    path="/v1/organizations/{organization}/funds",
    parameter=parameter("fund", "path", "The fund's `fund_…` id.", {"type": "string"}),
    problem="fund_not_found",
    read=Access(scope="funds:read", permission="view_funds"),
    write=Access(scope="funds:write", permission="manage_funds", is_fresh=True),
)

FUNDS: Final = (
    _FUNDS.listing(
        "listFunds",
        "The organization's funds, oldest first.",
        FundList,
        choice("currency", "Of one currency."),
        choice("kind", "Of one kind.", "general", "project", "restricted", "emergency"),
        choice("status", "In one state.", "active", "closed"),
    ),
    _FUNDS.creation(
        "createFund", "Open a fund, in one currency for good.", Fund, FundCreation, "step_up_needed"
    ),
    _FUNDS.showing("showFund", "One fund.", Fund, IF_NONE_MATCH),
    _FUNDS.changing(
        "changeFund",
        "Change a fund, or close it once it holds nothing. None is ever deleted.",
        Fund,
        FundPatch,
        *("fund_is_default", "fund_not_empty", "fund_closed", "step_up_needed"),
    ),
)
