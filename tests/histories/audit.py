"""What must hold when everything has come to rest: Stripe and the recorded ledger agree.

| rule | what it compares |
| --- | --- |
| balance | `Assets:Stripe` over funds and Stripe's balance, per currency (see `foreign.py`) |
| bank | `Assets:Bank` and the payouts that arrived |
| once | the balance transactions that are ours and those that entries name, each once |
| income | `Income:Donations` of each fund, in donors' currencies, and its charges less returns |
| disputed | `Assets:Disputed` and what banks hold |
| fees | each kind of fee and what Stripe lists in `fee_details` |
| figures | Stripe's figures among themselves (`figures.py`) |
| sums | the balances that the ledger keeps and its postings |
| reconciled | reconciliation finds the same |
| aside | nothing is set aside, nothing waits |
| states | the states of gifts, refunds and disputes, and Stripe's of them |
"""

from collections import Counter
from typing import Any

from tests.histories import audit_money, audit_states
from tests.histories.finding import Finding
from tests.histories.ledger import Entry, read_balances, read_entries
from tests.histories.play import Play


async def audit(play: Play) -> list[Finding]:
    """Everything that does not hold; nothing when the history went well."""
    ids = [organization.id for organization in play.organizations]
    entries = await read_entries(play.machinery.connection, ids)
    findings = await _aside(play)
    for organization in play.organizations:
        of_it = [entry for entry in entries if entry.organization == organization.id]
        findings += await audit_money.of_organization(play, organization, of_it)
    findings += await _sums(play, ids, entries)
    findings += await _reconciled(play, ids)
    findings += await audit_states.of_gifts(play)
    findings += await audit_states.of_refunds(play)
    return findings + await audit_states.of_disputes(play)


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


async def _reconciled(play: Play, ids: list[str]) -> list[Finding]:
    rows = await play.machinery.connection.fetch(
        "SELECT account, subject, class, reason, category FROM reconciliation.differences"
        " WHERE organization = ANY ($1) AND healed_at IS NULL"
        " AND class NOT IN ('in_transit', 'foreign')",
        ids,
    )
    return [
        *(Finding("reconciled", " ".join(map(str, row.values()))) for row in rows),
        *(
            Finding("reconciled", f"{account} {result.outcome}")
            for account, result in play.compared.items()
            if result.outcome != "agreed"
        ),
    ]


async def _aside(play: Play) -> list[Finding]:
    fetch = play.machinery.connection.fetch
    rows = await fetch(
        "SELECT worker, disposition, topic, code, reason FROM messages.set_aside ORDER BY position"
    )
    waiting = await fetch("SELECT id, waits_for FROM ledger.waiting")
    return [
        *(Finding("aside", " ".join(str(value) for value in row.values())) for row in rows),
        *(Finding("aside", f"{row['id']} waits for {row['waits_for']}") for row in waiting),
    ]
