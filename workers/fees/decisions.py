"""A captured payment as a balanced entry. Pure: no await, no clock, no database.

Figures are those of Stripe's balance transaction, never an estimate. When Stripe settled in another
currency than the donor paid in, the donor's currency appears on income and `Equity:Conversion`
only, so that a fund's assets keep one currency. All that Stripe took for itself and for taxes is
the organization's expense to the processor; the details tell its lines apart.
"""

from typing import Any

from contracts.entries import EntryRequested, PostingRequested
from contracts.payments import PaymentCaptured
from ledger.entry import spell_time
from workers.runtime.worker import Refused


def donation_entry(captured: PaymentCaptured) -> EntryRequested:
    """The entry of kind `donation`; Refused when the figures do not add up."""
    gift = captured.donation
    return EntryRequested(
        kind="donation",
        visibility=gift.visibility,
        public_after=gift.public_after,
        subject=gift.donation,
        postings=postings(captured),
        details=details(captured),
        donor=gift.donor,
    )


def postings(captured: PaymentCaptured) -> tuple[PostingRequested, ...]:
    """Assets and expenses in the settlement currency against income in the donor's."""
    gift, settled = captured.donation, captured.settlement_currency
    fund = captured.fund or gift.fund
    charged_minor = gift.charge_amount_minor
    fees_minor = captured.fee_minor + captured.platform_fee_minor
    if captured.gross_minor != fees_minor + captured.net_minor:
        raise Refused("balance_mismatch", "gross is not the sum of fees and net")
    lines = [
        ("Assets:Stripe", captured.net_minor, settled),
        ("Expenses:ProcessorFees", captured.fee_minor, settled),
        ("Expenses:PlatformFees", captured.platform_fee_minor, settled),
    ]
    if settled == gift.currency:
        if captured.gross_minor != charged_minor:
            raise Refused("balance_mismatch", "gross is not what the donor was charged")
    else:
        lines += [
            ("Equity:Conversion", -captured.gross_minor, settled),
            ("Equity:Conversion", charged_minor, gift.currency),
        ]
    lines.append(("Income:Donations", -charged_minor, gift.currency))
    return tuple(
        PostingRequested(account=account, amount=str(amount), currency=currency, fund=fund)
        for account, amount, currency in lines
        if amount
    )


def details(captured: PaymentCaptured) -> dict[str, Any]:
    """Ids, codes, dates and numbers: where the payment is found, what the gift was meant to be."""
    gift = captured.donation
    fees: dict[str, int] = {}
    for line in captured.fees:
        fees[line.kind] = fees.get(line.kind, 0) + line.amount_minor
    told: dict[str, Any] = {"fees": fees} if fees else {}
    if captured.exchange_rate is not None:
        told["exchange_rate"] = captured.exchange_rate
    if captured.fund is not None:
        told["fund_wished"] = gift.fund
    if gift.campaign is not None:
        told["campaign"] = gift.campaign
    return {
        **told,
        "donation": gift.donation,
        "occurred": spell_time(captured.captured_at),
        "gift_minor": gift.amount_minor,
        "covers_fee": gift.covers_fee,
        "collected_by": gift.collected_by,
        "account": captured.account,
        "payment_intent": captured.payment_intent,
        "charge": captured.charge,
        "balance_transaction": captured.balance_transaction,
    }
