"""States: what we say of gifts, refunds and disputes against what Stripe says of them."""

from tests.histories.finding import Finding
from tests.histories.giving import intents
from tests.histories.play import Play
from tests.histories.returning import objects

#: A payment's state at Stripe -> what the gift's may be.
STATES = {
    "succeeded": {"recorded"},
    "processing": {"processing"},
    "requires_action": {"requires_action"},
    "requires_confirmation": {"requires_action"},
    # Whoever confirms on the client may go on there; a decline of what we confirmed is told.
    "requires_payment_method": {"requires_action", "failed"},
    "canceled": {"canceled", "expired"},
}
#: Nothing was ever made at Stripe.
NO_PAYMENT = {"failed", "canceled", "expired"}


async def of_gifts(play: Play) -> list[Finding]:
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
        may = set().union(*(STATES[one] for one in payments)) if payments else NO_PAYMENT
        if payments.count("succeeded") > 1:
            findings.append(Finding("states", f"gift {gift.tag} was paid twice: {payments}"))
        elif "succeeded" in payments:
            may = {"recorded"}
        if status not in may:
            text = f"gift {gift.tag} is {status} here, {payments} at Stripe"
            findings.append(Finding("states", text))
    return findings


async def of_refunds(play: Play) -> list[Finding]:
    """Each refund is known once with Stripe's state; one that Stripe never made is refused."""
    findings = await _of_objects(play, "refund", "donations.refunds", "stripe_refund")
    rows = await play.machinery.connection.fetch(
        "SELECT id, status, stripe_refund FROM donations.refunds WHERE id = ANY ($1)",
        [asked.refund for asked in play.refunds],
    )
    known = {row["id"]: row for row in rows}
    for asked in play.refunds:
        row = known.get(asked.refund)
        if row is None:
            text = f"nothing is known of a refund that was asked for of {asked.gift.tag}"
            findings.append(Finding("states", text))
        elif row["stripe_refund"] is None and row["status"] != "refused":
            text = f"a refund of {asked.gift.tag} is {row['status']}, but Stripe has none"
            findings.append(Finding("states", text))
    return findings


async def of_disputes(play: Play) -> list[Finding]:
    """Each dispute is known once, with Stripe's state."""
    return await _of_objects(play, "dispute", "donations.disputes", "stripe_dispute")


async def _of_objects(play: Play, kind: str, table: str, column: str) -> list[Finding]:
    theirs = {one["id"]: one for one in objects(play, kind)}
    rows = await play.machinery.connection.fetch(
        f"SELECT {column} AS id, status FROM {table} WHERE {column} = ANY ($1)", list(theirs)
    )
    ours: dict[str, list[str]] = {}
    for row in rows:
        ours.setdefault(row["id"], []).append(row["status"])
    return [
        Finding("states", f"{one.tag} is {ours.get(found, [])} here, {one['status']} at Stripe")
        for found, one in theirs.items()
        if ours.get(found) != [one["status"]]
    ]
