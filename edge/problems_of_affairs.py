"""Problems with an organization's affairs: funds, projects, campaigns, bookings, events."""

from typing import Final

from edge.problem_kind import ProblemKind

PROBLEMS_OF_AFFAIRS: Final[dict[str, ProblemKind]] = {
    "fund_not_found": ProblemKind(
        404, "The organization has no such fund", "Give the `fund_…` id of one of its funds."
    ),
    "project_not_found": ProblemKind(
        404, "The organization has no such project", "Give the `proj_…` id of one of its projects."
    ),
    "campaign_not_found": ProblemKind(
        404, "The organization has no such campaign", "Give the id or short name of one of them."
    ),
    "donor_not_found": ProblemKind(
        404, "The organization knows no such donor", "Give the `prof_…` id of one of its donors."
    ),
    "transaction_not_found": ProblemKind(
        404, "The organization has no such transaction", "Give the `txn_…` id of one of them."
    ),
    "booking_not_found": ProblemKind(
        404, "The organization has no such booking", "Use the address that the 202 answer gave."
    ),
    "payout_not_found": ProblemKind(
        404, "No such payout", "Give the `po_…` id of one of the organization's payouts."
    ),
    "payout_not_split": ProblemKind(
        409,
        "The payout waits for movements that are not booked yet",
        "Ask again later; the payout's `waiting` tells since when.",
    ),
    "fund_is_default": ProblemKind(
        409,
        "The fund is the default for its currency",
        "Make another fund of the currency the default first.",
    ),
    "fund_not_empty": ProblemKind(
        409, "The fund holds money", "Move it to another fund before this one is closed."
    ),
    "fund_closed": ProblemKind(
        409, "The fund is closed", "Name another fund, or open this one again."
    ),
    "transition_not_allowed": ProblemKind(
        409, "It cannot come to that from where it stands", "See its `status`, and the detail."
    ),
    "campaign_slug_taken": ProblemKind(
        409, "The organization has a campaign of this short name", "Choose another `slug`."
    ),
    "fund_overdrawn": ProblemKind(
        409,
        "The account of the fund does not hold that much",
        "Book what came in first; the detail tells what is there.",
    ),
    "booking_not_recorded": ProblemKind(
        409, "The booking is not recorded", "Correct it once it is; a refused one needs nothing."
    ),
    "booking_corrected": ProblemKind(
        409, "The booking was corrected already", "Correct what replaced it."
    ),
    "transfer_taken": ProblemKind(
        409, "The transfer was taken already", "See the bookings of this organization."
    ),
    "transfer_not_found": ProblemKind(
        404, "No such transfer is meant for the organization", "Give the `tra_…` id of its giver."
    ),
    "campaign_not_active": ProblemKind(
        422, "The campaign takes no gifts", "Name an active campaign of the organization, or none."
    ),
    "project_unknown": ProblemKind(
        422, "The organization has no such project", "Give a project of it, or none."
    ),
    "currency_mismatch": ProblemKind(
        422, "The fund holds another currency", "Give amounts in the currency of the fund."
    ),
    "cursor_expired": ProblemKind(
        410,
        "What came after the cursor is not kept any more",
        "Read again without a cursor; events are kept 30 days.",
    ),
}
