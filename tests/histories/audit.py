"""What must hold when everything has come to rest: Stripe and the recorded ledger agree.

| rule | what it compares |
| --- | --- |
| balance | `Assets:Stripe` over funds and what Stripe says is on the account, per currency |
| bank | `Assets:Bank` and the payouts that arrived |
| once | the balance transactions that are ours and those that entries name, each once |
| income | `Income:Donations` of each fund, in donors' currencies, and its charges at Stripe |
| fees | each kind of fee and what Stripe lists in `fee_details` |
| figures | Stripe's figures among themselves (`figures.py`) |
| sums | the balances that the ledger keeps and its postings |
| aside | nothing is set aside, nothing waits |
| states | the state of each gift and Stripe's of its payment |
"""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from tests.histories import figures, truth
from tests.histories.giving import intents
from tests.histories.ledger import Entry, read_balances, read_entries
from tests.histories.play import Organization, Play
from tests.histories.truth import Movement
from workers.gateways.stripe_amounts import from_stripe


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that does not hold."""

    rule: str
    text: str

    def __str__(self) -> str:
        return f"[{self.rule}] {self.text}"


async def audit(play: Play) -> list[Finding]:
    """Everything that does not hold; nothing when the history went well."""
    ids = [organization.id for organization in play.organizations]
    entries = await read_entries(play.machinery.connection, ids)
    findings = await _aside(play, ids)
    for organization in play.organizations:
        of_it = [entry for entry in entries if entry.organization == organization.id]
        moved = truth.movements(play, organization)
        ours = [one for one in moved if not _is_foreign(play, one)]
        findings += await _balance(play, organization, of_it, moved, ours)
        findings += _bank(play, organization, of_it)
        findings += _once(organization, of_it, ours)
        findings += _income(play, organization, of_it)
        findings += _fees(organization, of_it, ours)
        findings += _figures(play, organization, moved)
    findings += await _sums(play, ids, entries)
    return findings + await _states(play)


def _is_foreign(play: Play, movement: Movement) -> bool:
    return movement.source in play.foreign


def _sum(entries: list[Entry], account: str) -> Counter[str]:
    """An account by currency, over funds."""
    sums: Counter[str] = Counter()
    for entry in entries:
        for line in entry.lines:
            if line.account == account:
                sums[line.currency] += line.amount
    return sums


def _compare(rule: str, what: str, ours: Counter[Any], theirs: Counter[Any]) -> list[Finding]:
    return [
        Finding(rule, f"{what}, {key}: the ledger says {ours[key]}, Stripe {theirs[key]}")
        for key in sorted({*ours, *theirs}, key=str)
        if ours[key] != theirs[key]
    ]


async def _balance(
    play: Play,
    organization: Organization,
    entries: list[Entry],
    moved: list[Movement],
    ours: list[Movement],
) -> list[Finding]:
    says: Counter[str] = Counter()
    for account in organization.accounts:
        says.update(await truth.balances(play, account))
    for one in moved:
        if one not in ours:
            says[one.currency] -= one.net
    return _compare("balance", organization.tag, _sum(entries, "Assets:Stripe"), says)


def _bank(play: Play, organization: Organization, entries: list[Entry]) -> list[Finding]:
    paid: Counter[str] = Counter()
    for body in truth.payouts(play, organization):
        if body["status"] == "paid":
            currency = body["currency"].upper()
            paid[currency] += from_stripe(body["amount"], currency)
    return _compare("bank", organization.tag, _sum(entries, "Assets:Bank"), paid)


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
    funds = {gift.donation: gift.fund.id for gift in play.gifts}
    given: Counter[Any] = Counter()
    for intent in intents(organization, play):
        if intent["status"] == "succeeded":
            currency = intent["currency"].upper()
            amount = from_stripe(intent["amount_received"], currency)
            given[funds[intent["metadata"]["donation"]], currency] += amount
    return _compare("income", organization.tag, booked, given)


#: Where each kind of fee is booked.
FEE_ACCOUNTS = {
    "stripe_fee": "Expenses:ProcessorFees",
    "tax": "Expenses:ProcessorFees",
    "application_fee": "Expenses:PlatformFees",
}


def _fees(organization: Organization, entries: list[Entry], ours: list[Movement]) -> list[Finding]:
    taken: Counter[tuple[str, str]] = Counter()
    for one in ours:
        for kind, amount in one.fees.items():
            taken[FEE_ACCOUNTS[kind], one.currency] += amount
    booked: Counter[tuple[str, str]] = Counter()
    for entry in entries:
        for line in entry.lines:
            if line.account in FEE_ACCOUNTS.values():
                booked[line.account, line.currency] += line.amount
    return _compare("fees", organization.tag, booked, taken)


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


async def _sums(play: Play, ids: list[str], entries: list[Entry]) -> list[Finding]:
    sums: Counter[Any] = Counter()
    for entry in entries:
        for line in entry.lines:
            sums[line.organization, line.fund, line.account, line.currency] += line.amount
    kept = await read_balances(play.machinery.connection, ids)
    return [
        Finding("sums", f"{key}: postings {sums[key]}, balance {kept[key]}")
        for key in sorted({*sums, *kept})
        if sums[key] != kept[key]
    ]


async def _aside(play: Play, ids: list[str]) -> list[Finding]:
    fetch = play.machinery.connection.fetch
    rows = await fetch(
        "SELECT worker, disposition, topic, code, reason FROM messages.set_aside ORDER BY position"
    )
    waiting = await fetch("SELECT id, waits_for FROM ledger.waiting")
    return [
        *(Finding("aside", " ".join(str(value) for value in row.values())) for row in rows),
        *(Finding("aside", f"{row['id']} waits for {row['waits_for']}") for row in waiting),
    ]


#: A payment's state at Stripe -> what the gift's may be.
STATES = {
    "succeeded": {"recorded"},
    "requires_action": {"requires_action"},
    "requires_payment_method": {"failed"},
    "canceled": {"failed"},
    "processing": {"processing"},
}


async def _states(play: Play) -> list[Finding]:
    rows = await play.machinery.connection.fetch(
        "SELECT id, status::text FROM donations.donations WHERE id = ANY ($1)",
        [gift.donation for gift in play.gifts],
    )
    ours = {row["id"]: row["status"] for row in rows}
    theirs: dict[str, list[str]] = {}
    for organization in play.organizations:
        for intent in intents(organization, play):
            theirs.setdefault(intent["metadata"]["donation"], []).append(intent["status"])
    findings = []
    for gift in play.gifts:
        status, payments = ours.get(gift.donation), theirs.get(gift.donation, [])
        may = set().union(*(STATES[one] for one in payments)) if payments else {"failed"}
        if payments.count("succeeded") > 1:
            findings.append(Finding("states", f"gift {gift.tag} was paid twice: {payments}"))
        elif "succeeded" in payments:
            may = {"recorded"}
        if status not in may:
            text = f"gift {gift.tag} is {status} here, {payments} at Stripe"
            findings.append(Finding("states", text))
    return findings
