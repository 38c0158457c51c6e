"""What the API offers of transactions."""

from typing import Any, Final

from edge.access import Access
from edge.operation import ORGANIZATION, PAGE, Operation, choice, parameter
from edge.transactions.models import Transaction, TransactionList
from ledger.transactions import TYPES

_LIST: Final = "/v1/organizations/{organization}/transactions"
_FUND: Final = parameter("fund", "path", "The fund's `fund_…` id.", {"type": "string"})
_FILTERS: Final = (
    choice("type", "Of one type.", *TYPES),
    choice("project", "Of one project."),
    choice("campaign", "Of one campaign."),
    choice("from", "Recorded at this time or later (RFC 3339)."),
    choice("before", "Recorded before this time."),
)
_GET: Final[dict[str, Any]] = {
    "method": "get",
    "status": 200,
    "access": Access(scope="transactions:read", permission="view_transactions"),
}

TRANSACTIONS: Final = (
    Operation(
        path=_LIST,
        identifier="listTransactions",
        summary="Money into funds and out of them, newest first, as the ledger has it.",
        answer=TransactionList,
        parameters=(ORGANIZATION, *PAGE, choice("fund", "Of one fund."), *_FILTERS),
        problems=("query_not_accepted",),
        **_GET,
    ),
    Operation(
        path=f"{_LIST}/{{transaction}}",
        identifier="showTransaction",
        summary="One transaction.",
        answer=Transaction,
        parameters=(
            ORGANIZATION,
            parameter("transaction", "path", "Its `txn_…` id.", {"type": "string"}),
        ),
        problems=("transaction_not_found", "query_not_accepted"),
        **_GET,
    ),
    Operation(
        path="/v1/organizations/{organization}/funds/{fund}/transactions",
        identifier="listTransactionsOfFund",
        summary="The transactions of one fund, newest first.",
        answer=TransactionList,
        parameters=(ORGANIZATION, _FUND, *PAGE, *_FILTERS),
        problems=("fund_not_found", "query_not_accepted"),
        **_GET,
    ),
)
