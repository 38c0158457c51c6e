"""What came after a gift, and whether more of it can be given back. Pure: nothing looked up.

Early refusals only: payments decides, by its own figures and Stripe's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from edge.errors import ProblemError
from edge.refunds.models import Standing

Row = Mapping[str, Any]

PAID: Final = frozenset({"captured", "recorded"})
#: Refunds that took money from the gift, or will.
_TAKING: Final = frozenset({"pending", "requires_action", "succeeded"})
_OPEN: Final = frozenset(
    {"needs_response", "under_review", "appeal_needs_response", "appeal_under_review"}
)
#: A gift that is not paid has none of this.
NOTHING: Final[dict[str, Any]] = {
    "standing": None,
    "refunded_amount_minor": 0,
    "refundable_amount_minor": 0,
    "paid_back_twice_minor": 0,
    "refunds": [],
    "disputes": [],
}


@dataclass(frozen=True, slots=True)
class After:
    """Refunds and disputes of a gift, and requests that nobody has told of yet."""

    refunds: Sequence[Row]
    disputes: Sequence[Row]
    requests: Sequence[Row]

    @property
    def refunded_minor(self) -> int:
        """What the donor has back, in the gift's currency."""
        return sum(each["amount_minor"] for each in self.refunds if each["status"] == "succeeded")

    @property
    def withdrawn_minor(self) -> int:
        """What the donor's bank has taken and not given back."""
        return sum(each["withdrawn_minor"] for each in self.disputes)

    @property
    def is_blocked(self) -> bool:
        """Whether a dispute keeps Stripe from refunding."""
        return any(each["blocks_refunds"] for each in self.disputes)


def refundable_minor(charged_minor: int, after: After) -> int:
    """What may be asked for now."""
    unknown = any(each["amount_minor"] is None for each in after.requests)
    if after.is_blocked or unknown:
        return 0
    taken = [each for each in after.refunds if each["status"] in _TAKING]
    taken_minor: int = sum(each["amount_minor"] for each in [*taken, *after.requests])
    return max(0, charged_minor - taken_minor)


def standing(charged_minor: int, after: After) -> Standing:
    """One word for what became of a paid gift."""
    if any(each["status"] in _OPEN for each in after.disputes):
        return "disputed"
    lost = [each for each in after.disputes if each["withdrawn_minor"] and each["status"] != "won"]
    if lost:
        return "returned" if any(each["is_return"] for each in lost) else "dispute_lost"
    if after.refunded_minor >= charged_minor:
        return "refunded"
    return "partially_refunded" if after.refunded_minor else "kept"


def paid_back_twice_minor(charged_minor: int, after: After) -> int:
    """What left twice: refunded to the donor, and taken by the donor's bank."""
    if not after.refunded_minor or not after.withdrawn_minor:
        return 0
    return max(0, after.refunded_minor + after.withdrawn_minor - charged_minor)


def check(status: str, charged_minor: int, after: After, amount_minor: int | None) -> None:
    """ProblemError 409 when such a refund is known to be impossible."""
    if status not in PAID:
        raise ProblemError("gift_not_paid", f"The gift is {status}.")
    if after.is_blocked:
        raise ProblemError("dispute_open")
    left_minor = refundable_minor(charged_minor, after)
    if left_minor == 0 or (amount_minor or 0) > left_minor:
        raise ProblemError(
            "exceeds_refundable",
            f"Of the gift, {left_minor} (minor units) can be refunded.",
            param="amount_minor",
        )


def aftermath(charged_minor: int, after: After) -> dict[str, Any]:
    """The part of a paid gift's resource that says what came after."""
    requested = [{**each, "status": "pending"} for each in after.requests]
    return {
        "standing": standing(charged_minor, after),
        "refunded_amount_minor": after.refunded_minor,
        "refundable_amount_minor": refundable_minor(charged_minor, after),
        "paid_back_twice_minor": paid_back_twice_minor(charged_minor, after),
        "refunds": [
            {name: each[name] for name in ("id", "status", "amount_minor")}
            for each in [*after.refunds, *requested]
        ],
        "disputes": [
            {
                name: each[name]
                for name in (
                    *("id", "status", "reason", "amount_minor", "withdrawn_minor", "currency"),
                    "evidence_due_at",
                )
            }
            for each in after.disputes
        ],
    }
