"""The accounts that entries may post to, with what they mean; a new one is added here first.

Rules: names are those of plain-text accounting, `Type:Name...`; debit is positive; what a fund
holds is the sum of its `Assets:*`, and these have one currency, the one it is settled in.
"""

from functools import cache
from typing import Final

ASSETS: Final = "Assets:"

ACCOUNTS: Final = {
    "Assets:Stripe": "held on the organization's own Stripe account",
    "Assets:Bank": "arrived on the organization's bank account",
    "Assets:Disputed": "taken back by a bank while a dispute is open",
    "Assets:Cash": "gifts received outside the platform",
    "Income:Donations": "gifts, at what the donor was charged",
    "Income:Grants": "grants by institutions",
    "Income:Matching": "what a sponsor adds to others' gifts",
    "Income:Transfers": "received from another organization on the platform",
    "Income:Interest": "interest on what is held",
    "Expenses:ProcessorFees": "the payment processor's fees, as it took them",
    "Expenses:PlatformFees": "the platform's own fees",
    "Expenses:DisputeFees": "fees for disputes, lost or won",
    "Expenses:Program": "spent on the purpose; names below it say on what",
    "Expenses:Grants": "given to others outside the platform",
    "Expenses:Transfers": "given to another organization on the platform",
    "Equity:Conversion": "the other side of an exchange between currencies",
    "Equity:Allocations": "moved between funds of one organization",
    "Equity:Opening": "what was there when the ledger began",
}

#: Accounts that may be divided further, as in `Expenses:Program:Wells`.
DIVISIBLE: Final = ("Expenses:Program",)


@cache  # a test per posting on the hot path; names in use are few and bounded by funds
def is_known(account: str) -> bool:
    """Whether the account is in the table, or below one that may be divided."""
    return account in ACCOUNTS or account.startswith(tuple(name + ":" for name in DIVISIBLE))
