"""The stories, each a short list of steps; help and README take their tables from here."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from deploy.sandbox.scenarios.steps import (
    OTHER,
    account,
    authenticate,
    dispute,
    dispute_becomes,
    fee,
    give,
    late,
    never_below_zero,
    other_money_is_worth,
    pay_out,
    payout_fails,
    refund,
    refund_becomes,
    wait,
)
from deploy.sandbox.scenarios.story import Step


@dataclass(frozen=True, slots=True)
class Scenario:
    """A story: what it is about, and its steps."""

    about: str
    steps: tuple[Step, ...]


def _story(about: str, *steps: Step) -> Scenario:
    return Scenario(about, steps)


HALF, QUARTER = Fraction(1, 2), Fraction(1, 4)

SCENARIOS: Final[dict[str, Scenario]] = {
    "donation": _story("a gift, paid out", give(), pay_out()),
    "donation-declined": _story("the card has no money", give(method="pm_card_chargeDeclined")),
    "donation-in-other-currency": _story(
        "a gift in a currency that the account does not hold", give(currency=OTHER), pay_out()
    ),
    "donation-without-decimals": _story(
        "a gift in yen, given back in part", give(currency="jpy"), refund(HALF)
    ),
    "three-d-secure": _story(
        "the donor's bank asks, the donor confirms",
        give(method="pm_card_threeDSecure2Required"),
        authenticate("succeeded"),
    ),
    "three-d-secure-failed": _story(
        "the donor's bank asks in vain",
        give(method="pm_card_threeDSecure2Required"),
        authenticate("failed"),
    ),
    "sepa-settled": _story(
        "a bank debit that takes five days",
        give(method="pm_successDelayed_de", currency="eur"),
        wait(days=6),
    ),
    "sepa-failed": _story(
        "a bank debit that the bank refuses after five days; another gift is paid out",
        give(method="pm_failedDelayed_de", currency="eur"),
        wait(days=6),
        give("gift 2"),
        pay_out(),
    ),
    "sepa-returned": _story(
        "a bank debit that settles and is returned",
        give(method="pm_disputed_de", currency="eur"),
        wait(minutes=2),
    ),
    "donation-refunded": _story("a gift is given back", give(), refund()),
    "donation-refunded-partially": _story(
        "a gift is given back in two parts, not all of it", give(), refund(QUARTER), refund(HALF)
    ),
    "refund-at-another-rate": _story(
        "a gift in a foreign currency is given back when that is worth more",
        give(currency=OTHER),
        other_money_is_worth(120),
        refund(HALF),
        refund(),
        other_money_is_worth(100),
    ),
    "refund-fails-later": _story(
        "a refund succeeds, then the donor's bank sends it back",
        give(method="pm_card_refundFail"),
        refund(),
        wait(minutes=2),
    ),
    "refund-waits-for-money": _story(
        "a refund waits until another gift has brought the money",
        never_below_zero(is_on=True),
        give(),
        pay_out(),
        refund(),
        give("gift 2", "pm_card_bypassPending", times=10),
        never_below_zero(is_on=False),
    ),
    "refund-needs-the-donor": _story(
        "a refund waits for the donor's bank details, and ends without them",
        give(),
        refund(status="requires_action"),
        refund_becomes("canceled"),
    ),
    "dispute-won": _story(
        "a dispute is won, and its fee comes back", give(), dispute(), dispute_becomes("won")
    ),
    "dispute-won-fee-kept": _story(
        "a dispute is won, and Stripe keeps its fee",
        give(),
        dispute(),
        dispute_becomes("won", fee_returned=False),
    ),
    "dispute-lost": _story("nobody answers a dispute", give(), dispute(), wait(days=22)),
    "dispute-lost-then-won": _story(
        "a dispute is lost, and won after all",
        give(),
        dispute(),
        dispute_becomes("lost"),
        wait(days=20),
        dispute_becomes("won"),
    ),
    "dispute-partial": _story(
        "a bank disputes a part of a gift, and wins", give(), dispute(HALF), dispute_becomes("lost")
    ),
    "dispute-prevented": _story(
        "a dispute ends by giving the money back", give(), dispute(status="prevented")
    ),
    "dispute-inquiry": _story(
        "a bank only asks: no money moves",
        give(),
        dispute(status="warning_needs_response"),
        wait(days=121),
    ),
    "dispute-crosses-refund": _story(
        "half of a gift is given back, then the bank takes all of it",
        give(),
        refund(HALF),
        dispute(),
        dispute_becomes("lost"),
    ),
    "dispute-more-than-the-gift": _story(
        "a gift in a foreign currency is disputed when that is worth more",
        give(currency=OTHER),
        other_money_is_worth(125),
        dispute(),
        dispute_becomes("lost"),
        other_money_is_worth(100),
    ),
    "dispute-won-at-another-rate": _story(
        "a disputed gift comes back when its currency is worth less",
        give(currency=OTHER),
        dispute(),
        other_money_is_worth(80),
        dispute_becomes("won"),
        other_money_is_worth(100),
    ),
    "negative-balance": _story(
        "what was paid out is given back; the next gift fills the hole",
        give(),
        pay_out(),
        refund(),
        pay_out(),
        give("gift 2", times=10),
        pay_out(),
    ),
    "payout-paid-then-failed": _story(
        "a payout arrives, and the bank sends it back", give(), pay_out(), payout_fails()
    ),
    "fees-of-the-account": _story(
        "Stripe takes fees and tax that no gift caused, out of a payout",
        give(),
        fee(200),
        fee(38, "tax_fee"),
        pay_out(),
    ),
    "account-restricted": _story(
        "the account may take no charges for a while",
        give(),
        account(
            "Stripe restricts the account",
            charges_enabled=False,
            payouts_enabled=False,
            disabled_reason="requirements.past_due",
            past_due=["representative.verification.document"],
        ),
        give("gift 2"),
        account("Stripe lifts it", charges_enabled=True, payouts_enabled=True),
        give("gift 3"),
        pay_out(),
    ),
    "balance-transaction-late": _story(
        "the money is there before Stripe says what it costs",
        late(is_on=True),
        give(),
        late(is_on=False),
    ),
}


def table() -> Iterator[str]:
    """The lines of the README's table."""
    yield "| scenario | story |"
    yield "| --- | --- |"
    for name, scenario in SCENARIOS.items():
        yield f"| `{name}` | {scenario.about} |"
