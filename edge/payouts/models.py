"""Payouts, their items, and the settings of payouts, as the API shows and takes them."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from contracts.message import DonationId, EntryId, FundId
from contracts.money import AMOUNT_MINOR_MAX

Interval = Literal["daily", "weekly", "monthly", "manual"]


class PayoutWaiting(BaseModel):
    """The payout is not booked yet: `lines` of its movements are not."""

    since: str
    lines: int


class PayoutSummary(BaseModel):
    """A deposit on the bank account, or one on its way. Amounts are in minor units.

    `attribution` says who tells which money it is: `stripe` itemises automatic payouts; of the
    others Stripe does not say, and `rule` means our rule, the oldest money first. Null while
    nobody can say.
    """

    id: str
    object: Literal["payout"]
    account: str
    status: Literal["pending", "in_transit", "paid", "failed", "canceled"]
    amount_minor: int
    fee_minor: int
    currency: str
    automatic: bool
    created_at: str
    arrival_date: str
    failure_code: str | None
    balance_transaction: str
    attribution: Literal["stripe", "rule"] | None
    rule: Literal["itemised", "first_in_first_out"] | None
    waiting: PayoutWaiting | None


class PayoutTotal(BaseModel):
    """What a category of movements comes to in a fund: gross - fee = net.

    `category` is Stripe's reporting category (`charge`, `refund`, `dispute`, `fee` ...), or
    `payout_fee`: what Stripe took for the payout itself. `fund` is null for money that is no
    fund's: of another shop on the account.
    """

    category: str
    fund: FundId | None
    items: int
    gross_minor: int
    fee_minor: int
    net_minor: int


class Payout(PayoutSummary):
    """A payout with what adds up to it: the totals' net is the deposit, to the minor unit."""

    totals: list[PayoutTotal]


class PayoutItem(BaseModel):
    """A movement that the payout carries. `is_part`: the rest of it is in other payouts.

    Of a part, `gross_minor` is the part itself and `fee_minor` 0.
    """

    balance_transaction: str
    category: str
    source: str
    donation: DonationId | None
    entry: EntryId | None
    fund: FundId | None
    occurred_at: str | None
    gross_minor: int
    fee_minor: int
    net_minor: int
    is_part: bool


class PayoutPage(BaseModel):
    """Payouts, newest first."""

    object: Literal["list"]
    has_more: bool
    next_cursor: str | None
    data: list[PayoutSummary]


class PayoutItemPage(BaseModel):
    """Items, oldest first."""

    object: Literal["list"]
    has_more: bool
    next_cursor: str | None
    data: list[PayoutItem]


class PayoutStanding(BaseModel):
    """Where Amply's own payouts of a currency stand.

    `remainder` is what of the balance the last one could not carry, in Stripe's integers.
    """

    account: str
    currency: str
    state: str
    since: str
    done_on: str | None
    remainder: int


class PayoutSettings(BaseModel):
    """Who pays the organization out, when, and why not at the moment."""

    object: Literal["payout_settings"]
    paid_by: Literal["stripe", "amply"]
    interval: Interval
    weekday: int | None
    month_day: int | None
    minimum_minor: int
    under_review: bool
    standing: list[PayoutStanding]


class PayoutSettingsChange(BaseModel):
    """What shall change; what is left out stays. `weekday` 1 is Monday, `month_day` 31 the last.

    A change of `interval` comes with its day: `weekly` with `weekday`, `monthly` with `month_day`.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    paid_by: Literal["stripe", "amply"] | None = None
    interval: Interval | None = None
    weekday: Annotated[int, Field(ge=1, le=7)] | None = None
    month_day: Annotated[int, Field(ge=1, le=31)] | None = None
    minimum_minor: Annotated[int, Field(ge=0, le=AMOUNT_MINOR_MAX)] | None = None
    under_review: bool | None = None
