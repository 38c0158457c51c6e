"""The report as the API shows it. Amounts are minor units of the currency, as strings: sums."""

from typing import Literal

from pydantic import BaseModel

from contracts.message import OrganizationId


class Side(BaseModel):
    """What one side says of a line: movements, gross, fees, net."""

    count: int
    amount_minor: str
    fee_minor: str
    net_minor: str


class ReportLine(BaseModel):
    """A day's movements of one category, which is Stripe's `reporting_category`.

    `foreign` are other people's movements on the account, `in_transit` payouts not paid yet: the
    ledger has none of both.
    """

    category: str
    stripe: Side
    ledger: Side


class Balance(BaseModel):
    """Before and after a day's movements."""

    opening_minor: str
    closing_minor: str


class ReportDay(BaseModel):
    """A day (UTC, of Stripe's time) on which something moved."""

    day: str
    stripe: Balance
    ledger: Balance
    movements: list[ReportLine]


class AccountReport(BaseModel):
    """An account in one currency.

    `balance_minor` is what Stripe says it holds; of its movements the ledger recorded
    `ledger_minor`, and `in_transit_minor`, `foreign_minor` and `different_minor` explain the rest.
    """

    account: str
    currency: str
    outcome: Literal["agreed", "differs", "unreachable", "failed"]
    compared_at: str
    balance_minor: str
    ledger_minor: str
    in_transit_minor: str
    foreign_minor: str
    different_minor: str
    days: list[ReportDay]


class Figures(BaseModel):
    """Gross, fees and net; a side of a difference of two sums has a net alone."""

    amount_minor: str | None
    fee_minor: str | None
    net_minor: str


class Difference(BaseModel):
    """Something that is not alike on both sides. A side is null that shows nothing.

    `subject` is a balance transaction, or what a sum is about (`balance:EUR`).
    """

    account: str | None
    subject: str
    of_class: Literal[
        "missing_here", "missing_there", "differs", "in_transit", "foreign", "unreachable"
    ]
    reason: str
    category: str | None
    source: str | None
    entry: str | None
    currency: str | None
    occurred_at: str | None
    opened_at: str
    stripe: Figures | None
    ledger: Figures | None


class Reconciliation(BaseModel):
    """What Stripe says and what the ledger says, from day to day, the last one included.

    `agrees` only when every account was compared and nothing is open but `in_transit` and
    `foreign`. `open` counts what is open by class; `differences` are at most 200 of these, faults
    first.
    """

    object: Literal["reconciliation"]
    organization: OrganizationId
    first_day: str
    last_day: str
    agrees: bool
    accounts: list[AccountReport]
    open: dict[str, int]
    differences: list[Difference]
