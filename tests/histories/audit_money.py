"""Money: each account of the recorded ledger against what Stripe's objects add up to."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from tests.histories import figures, truth
from tests.histories.finding import Finding, compare
from tests.histories.foreign import Sides, sides
from tests.histories.ledger import Entry
from tests.histories.play import Organization, Play
from tests.histories.returning import charges, objects
from tests.histories.truth import Movement
from workers.gateways.stripe_amounts import from_stripe


async def of_organization(
    play: Play, organization: Organization, entries: list[Entry]
) -> list[Finding]:
    """What does not hold of one organization's money."""
    found = await sides(play, organization, entries)
    return [
        *await _balance(play, organization, entries, found),
        *_bank(play, organization, entries, found),
        *_once(organization, entries, found.ours),
        *_income(play, organization, entries),
        *_disputed(play, organization, entries),
        *_fees(organization, entries, found.ours),
        *_figures(play, organization, found.moved),
    ]


def _sum(entries: list[Entry], account: str) -> Counter[str]:
    """An account by currency, over funds."""
    sums: Counter[str] = Counter()
    for entry in entries:
        for line in entry.lines:
            if line.account == account:
                sums[line.currency] += line.amount
    return sums


async def _balance(
    play: Play, organization: Organization, entries: list[Entry], found: Sides
) -> list[Finding]:
    says: Counter[str] = Counter()
    for account in organization.accounts:
        says.update(await truth.balances(play, account))
    for currency in {*says, *found.foreign_in}:
        foreign = found.foreign_in[currency] - found.foreign_out[currency]
        says[currency] -= found.in_transit[currency] + foreign
    return compare("balance", organization.tag, _sum(entries, "Assets:Stripe"), says)


def _bank(
    play: Play, organization: Organization, entries: list[Entry], found: Sides
) -> list[Finding]:
    paid: Counter[str] = Counter()
    for body in truth.payouts(play, organization):
        if body["status"] == "paid":
            currency = body["currency"].upper()
            paid[currency] += from_stripe(body["amount"], currency)
    for currency, foreign in found.foreign_out.items():
        paid[currency] -= foreign
    return [
        *compare("bank", organization.tag, _sum(entries, "Assets:Bank"), paid),
        *(
            Finding("bank", f"{organization.tag} paid {foreign} {currency} out for another shop")
            for currency, foreign in found.foreign_out.items()
            if not 0 <= foreign <= max(0, found.foreign_in[currency] + found.debits[currency])
        ),
    ]


def _once(organization: Organization, entries: list[Entry], ours: list[Movement]) -> list[Finding]:
    booked = Counter(
        entry.details["balance_transaction"]
        for entry in entries
        if "balance_transaction" in entry.details
    )
    known = {one.id: one for one in ours}
    findings = []
    for identifier in sorted({*booked, *known}):
        times = booked[identifier]
        if identifier not in known:
            text = f"{identifier} is booked, but no movement of the organization"
        elif times != 1:
            text = f"{identifier} ({known[identifier].category}) is booked {times} times"
        else:
            continue
        findings.append(Finding("once", f"{organization.tag}, {text}"))
    return findings


def _income(play: Play, organization: Organization, entries: list[Entry]) -> list[Finding]:
    booked: Counter[Any] = Counter()
    for entry in entries:
        for line in entry.lines:
            if line.account == "Income:Donations":
                booked[line.fund, line.currency] -= line.amount
    given: Counter[Any] = Counter()
    gone = _gone(play, organization)
    for charge in charges(play, organization):
        currency = charge["currency"].upper()
        amount = charge["amount_captured"] - gone[charge["id"]]
        given[charge["gift"].fund.id, currency] += from_stripe(amount, currency)
    return compare("income", organization.tag, booked, given)


def _gone(play: Play, organization: Organization) -> Counter[str]:
    """What went back to donors for good, by charge, in its smallest unit."""
    gone: Counter[str] = Counter()
    for refund in objects(play, "refund", organization):
        if refund["balance_transaction"] and not refund.get("failure_balance_transaction"):
            gone[refund["charge"]] += refund["amount"]
    for dispute in objects(play, "dispute", organization):
        if is_lost(dispute):
            gone[dispute["charge"]] += dispute["amount"]
    return gone


def is_lost(dispute: Mapping[str, Any]) -> bool:
    """Whether what a bank took will not come back."""
    taken = any(one["amount"] < 0 for one in dispute["balance_transactions"])
    return taken and dispute["status"] in ("lost", "prevented")


def _disputed(play: Play, organization: Organization, entries: list[Entry]) -> list[Finding]:
    """Money that a bank holds while it decides."""
    held: Counter[str] = Counter()
    for dispute in objects(play, "dispute", organization):
        if dispute["status"] in OPEN:
            for one in dispute["balance_transactions"]:
                currency = one["currency"].upper()
                held[currency] -= from_stripe(one["amount"], currency)
    return compare("disputed", organization.tag, _sum(entries, "Assets:Disputed"), held)


#: The states of a dispute that is not decided.
OPEN = ("needs_response", "under_review", "warning_needs_response", "warning_under_review")

#: Where each kind of fee is booked.
FEE_ACCOUNTS: dict[Any, str] = {
    "stripe_fee": "Expenses:ProcessorFees",
    "tax": "Expenses:ProcessorFees",
    "payment_method_passthrough_fee": "Expenses:ProcessorFees",
    "application_fee": "Expenses:PlatformFees",
    ("dispute", "stripe_fee"): "Expenses:DisputeFees",
    ("dispute_reversal", "stripe_fee"): "Expenses:DisputeFees",
}


def _fees(organization: Organization, entries: list[Entry], ours: list[Movement]) -> list[Finding]:
    taken: Counter[tuple[str, str]] = Counter()
    for one in ours:
        for kind, amount in one.fees.items():
            account = FEE_ACCOUNTS.get((one.category, kind)) or FEE_ACCOUNTS[kind]
            taken[account, one.currency] += amount
    booked: Counter[tuple[str, str]] = Counter()
    for entry in entries:
        for line in entry.lines:
            if line.account in FEE_ACCOUNTS.values():
                booked[line.account, line.currency] += line.amount
    return compare("fees", organization.tag, booked, taken)


def _figures(play: Play, organization: Organization, moved: list[Movement]) -> list[Finding]:
    sources = {
        body["id"]: body
        for account in organization.accounts
        for kind in ("charge", "refund", "dispute", "payout")
        for body in play.sandbox.objects(kind, account)
    }
    return [
        Finding("figures", f"{organization.tag}, {one.category} {one.id}: {fault}")
        for one in moved
        for fault in figures.faults(one, sources)
    ]
