"""Money on an account that is no gift: another shop's charges, debits that a bank did not pay.

It is not booked, so it is what Stripe's balance and our books may differ by, and nothing else is.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass, field

from tests.histories import truth
from tests.histories.ledger import Entry
from tests.histories.play import Organization, Play
from tests.histories.truth import Movement

#: How an entry that names a foreign part moved it: out to the bank, or back.
SIGNS = {"payout": 1, "payout_failed": -1}
#: The states of payouts and charges in which their movements are not booked.
UNBOOKED = defaultdict(
    tuple, {"po_": ("pending", "in_transit"), "py_": ("pending", "failed"), "ch_": ("failed",)}
)
NOTED = """
    SELECT balance_transaction, net_minor FROM payouts.foreign_movements
    WHERE organization = $1 AND category IN ('payout', 'payout_reversal')
"""


@dataclass(slots=True)
class Sides:
    """An organization's movements by whose they are; sums by currency, in ISO minor units.

    `ours` must be booked once each. `in_transit` is what payouts took that did not end yet, and
    what debits brought that were not paid yet, or never; `foreign_in` is what another shop's
    charges brought, `foreign_out` what of all this went to the bank; `debits` are unpaid ones.
    """

    moved: list[Movement]
    ours: list[Movement] = field(default_factory=list)
    in_transit: Counter[str] = field(default_factory=Counter)
    foreign_in: Counter[str] = field(default_factory=Counter)
    foreign_out: Counter[str] = field(default_factory=Counter)
    debits: Counter[str] = field(default_factory=Counter)


async def sides(play: Play, organization: Organization, entries: list[Entry]) -> Sides:
    """Sort an organization's movements."""
    found = Sides(truth.movements(play, organization))
    status = {
        body["id"]: body["status"]
        for account in organization.accounts
        for kind in ("payout", "charge")
        for body in play.sandbox.objects(kind, account)
    }
    rows = await play.machinery.connection.fetch(NOTED, organization.id)
    noted = {row["balance_transaction"]: row["net_minor"] for row in rows}
    for one in found.moved:
        if one.source in play.foreign:
            found.foreign_in[one.currency] += one.net
        elif status.get(one.source) in UNBOOKED[one.source[:3]]:
            found.in_transit[one.currency] += one.net
            if one.category == "charge":
                found.debits[one.currency] += one.net
        elif noted.get(one.id) == one.net:  # No fund had any part of it: there is no entry.
            found.foreign_out[one.currency] -= one.net
        else:
            found.ours.append(one)
    for entry in entries:
        if (sign := SIGNS.get(entry.kind)) is not None:
            currency = next(line.currency for line in entry.lines)
            found.foreign_out[currency] += sign * entry.details["foreign_minor"]
    return found
