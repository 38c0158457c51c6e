"""Money on an account that is nobody's gift: another shop's charges, and its part of payouts.

It is never booked, so it is what Stripe's balance and our books may differ by, and nothing else is.
"""

from collections import Counter
from dataclasses import dataclass, field

from tests.histories import truth
from tests.histories.ledger import Entry
from tests.histories.play import Organization, Play
from tests.histories.truth import Movement

#: How an entry that names a foreign part moved it: out to the bank, or back.
SIGNS = {"payout": 1, "payout_failed": -1}
NOTED = """
    SELECT balance_transaction, net_minor FROM payouts.foreign_movements
    WHERE organization = $1 AND category IN ('payout', 'payout_reversal')
"""


@dataclass(slots=True)
class Sides:
    """An organization's movements by whose they are; sums by currency, in ISO minor units.

    `ours` must be booked once each. `in_transit` is what payouts took that did not end yet,
    `foreign_in` what another shop's charges brought, `foreign_out` what of it went to the bank.
    """

    moved: list[Movement]
    ours: list[Movement] = field(default_factory=list)
    in_transit: Counter[str] = field(default_factory=Counter)
    foreign_in: Counter[str] = field(default_factory=Counter)
    foreign_out: Counter[str] = field(default_factory=Counter)


async def sides(play: Play, organization: Organization, entries: list[Entry]) -> Sides:
    """Sort an organization's movements."""
    found = Sides(truth.movements(play, organization))
    status = {body["id"]: body["status"] for body in truth.payouts(play, organization)}
    rows = await play.machinery.connection.fetch(NOTED, organization.id)
    noted = {row["balance_transaction"]: row["net_minor"] for row in rows}
    for one in found.moved:
        if one.source in play.foreign:
            found.foreign_in[one.currency] += one.net
        elif status.get(one.source) in ("pending", "in_transit"):
            found.in_transit[one.currency] += one.net
        elif noted.get(one.id) == one.net:  # No fund had any part of it: there is no entry.
            found.foreign_out[one.currency] -= one.net
        else:
            found.ours.append(one)
    for entry in entries:
        if (sign := SIGNS.get(entry.kind)) is not None:
            currency = next(line.currency for line in entry.lines)
            found.foreign_out[currency] += sign * entry.details["foreign_minor"]
    return found
