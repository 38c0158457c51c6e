"""What is known of refunds and disputes, whatever order their states are seen in."""

import itertools
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.workers.bench import event, new
from tests.workers.payments.objects import (
    CHARGE,
    CREATED,
    GIFT,
    ORGANIZATION,
    ORIGIN,
    dispute,
    moved,
    refund,
)
from workers.gateways.stripe_refunds import RefundDenied
from workers.payments import decisions_disputes, decisions_refunds, origins
from workers.payments.aftermath import Aftermath
from workers.payments.bookings import of_refund
from workers.payments.decisions import Attempt, Elsewhere, Ignored
from workers.payments.decisions_refunds import Asked, Known
from workers.runtime.worker import Refused, Transient

KNOWN = Known(
    organization=ORGANIZATION,
    id=new("rfd"),
    donation=GIFT.donation,
    charge=None,
    stripe_refund=None,
    status="requested",
    amount_minor=None,
    currency="EUR",
    reason="duplicate",
    created_at=CREATED,
)
ASKED = Asked(
    known=KNOWN,
    gift=GIFT,
    attempt=1,
    called_at=None,
    returns_platform_fee=False,
    account="acct_1",
    is_captured=True,
    others_minor=0,
    is_disputed=False,
)


def seen(known: Known, status: str, minutes: int, **changes: Any) -> Known:
    state = refund(status, **changes)
    booked = of_refund(ORIGIN, state, known.id)
    return (
        decisions_refunds.learn(known, state, booked, CREATED + timedelta(minutes=minutes)) or known
    )


def test_a_refund_ends_in_its_last_state_in_any_order_of_looks() -> None:
    failure = moved("txn_back", 3000, "refund_failure", days=2)
    states: list[tuple[str, int, dict[str, Any]]] = [
        ("pending", 1, {"balance_transaction": None, "why": "insufficient_funds"}),
        ("requires_action", 2, {}),
        ("succeeded", 3, {}),
        ("failed", 4, {"failure_balance_transaction": failure, "why": "declined"}),
    ]
    ends = set()
    for order in itertools.permutations(states):
        known = KNOWN
        for status, minutes, changes in order:
            known = seen(known, status, minutes, **changes)
        assert known.entry and known.failure_entry
        ends.add(replace(known, version=0, seen_at=None))
    assert [(end.status, end.code) for end in ends] == [("failed", "declined")]


def test_a_state_of_the_same_rank_counts_by_the_time_of_the_look() -> None:
    known = seen(seen(KNOWN, "requires_action", 2), "pending", 1)
    assert known.status == "requires_action"
    assert seen(known, "pending", 3).status == "pending"


def test_nothing_new_is_not_told_and_versions_count_what_was() -> None:
    once = seen(KNOWN, "succeeded", 1)
    assert once.version == 1
    assert seen(once, "succeeded", 5) is once


def test_a_refusal_yields_to_a_refund_that_stripe_has() -> None:
    refused = decisions_refunds.refuse(KNOWN, RefundDenied("stripe_refused"))
    assert refused is not None
    assert (refused.status, refused.code, refused.version) == ("refused", "stripe_refused", 1)
    assert decisions_refunds.refuse(refused, RefundDenied("dispute_open")) is None
    assert seen(refused, "succeeded", 1).status == "succeeded"


def test_a_status_that_nobody_knows_is_refused() -> None:
    with pytest.raises(Refused) as caught:
        seen(KNOWN, "vanished", 1)
    assert caught.value.code == "unexpected_status"


@pytest.mark.parametrize(
    ("changes", "amount", "code"),
    [
        ({}, None, None),
        ({}, 10_000, None),
        ({}, 10_001, "exceeds_refundable"),
        ({"others_minor": 10_000}, None, "exceeds_refundable"),
        ({"others_minor": 4000}, 6001, "exceeds_refundable"),
        ({"is_disputed": True}, None, "dispute_open"),
        ({"is_captured": False}, None, "not_captured"),
        ({"account": None}, None, "not_captured"),
    ],
)
def test_what_our_own_figures_refuse(
    changes: dict[str, Any], amount: int | None, code: str | None
) -> None:
    asked = replace(ASKED, known=replace(KNOWN, amount_minor=amount), **changes)
    assert decisions_refunds.denied(asked) == (RefundDenied(code) if code else None)


@pytest.mark.parametrize(
    ("refunded_at_stripe", "others", "wanted", "expected"),
    [
        (0, 0, None, 10_000),
        (0, 0, 3000, 3000),
        (6000, 0, None, 4000),
        (0, 6000, None, 4000),
        (6000, 0, 5000, RefundDenied("exceeds_refundable")),
        (10_000, 0, None, RefundDenied("exceeds_refundable")),
    ],
)
def test_the_amount_is_bounded_by_the_smaller_figure(
    refunded_at_stripe: int, others: int, wanted: int | None, expected: Any
) -> None:
    asked = replace(ASKED, known=replace(KNOWN, amount_minor=wanted), others_minor=others)
    charge = replace(CHARGE, refunded_minor=refunded_at_stripe)
    assert decisions_refunds.amount_to_refund(asked, charge) == expected


def test_an_older_look_at_a_dispute_changes_nothing() -> None:
    taken = moved("t", -10_000, "dispute", fee=1500)
    back = moved("b", 10_000, "dispute_reversal", days=3)
    won = dispute("won", taken, back)
    known, _ = decisions_disputes.learn(None, ORIGIN, won, CREATED + timedelta(minutes=1))
    assert known is not None
    # By its movements it is older, although the look began later.
    later = CREATED + timedelta(minutes=2)
    news, booked = decisions_disputes.learn(known, ORIGIN, dispute("lost", taken), later)
    assert news is None
    assert [one.entry.kind for one in booked] == ["dispute_withdrawn"]
    earlier = CREATED
    assert decisions_disputes.learn(known, ORIGIN, dispute("lost", taken, back), earlier)[0] is None


EVENT = event(ORGANIZATION, "acct_1", "refund.created", "re_1")
ATTEMPT = Attempt("captured", "acct_1", "pi_1", GIFT)


def test_a_charge_leads_to_the_gift_that_it_paid() -> None:
    origin = origins.judge(EVENT, CHARGE, ATTEMPT)
    assert origin == ORIGIN


@pytest.mark.parametrize(
    ("charge", "attempt", "reason"),
    [
        (replace(CHARGE, donation=None), None, "foreign"),
        (CHARGE, Elsewhere(), "account_mismatch"),
        (replace(CHARGE, organization=new("org")), ATTEMPT, "account_mismatch"),
        (CHARGE, replace(ATTEMPT, account="acct_2"), "account_mismatch"),
        (replace(CHARGE, payment_intent="pi_2"), ATTEMPT, "foreign"),
    ],
)
def test_a_charge_that_paid_no_gift_here_is_ignored(charge: Any, attempt: Any, reason: Any) -> None:
    assert origins.judge(EVENT, charge, attempt) == Ignored(reason)


@pytest.mark.parametrize(
    ("charge", "attempt"),
    [(CHARGE, None), (replace(CHARGE, payment_intent="pi_2"), replace(ATTEMPT, state="calling"))],
)
def test_a_charge_that_came_before_its_gift_waits(charge: Any, attempt: Any) -> None:
    with pytest.raises(Transient):
        origins.judge(EVENT, charge, attempt)


def test_money_of_a_gift_that_is_not_booked_waits_for_its_fund() -> None:
    origin = origins.judge(EVENT, CHARGE, replace(ATTEMPT, state="processing"))
    assert origin == replace(ORIGIN, is_booked=False)
    waiting = refund("pending", balance_transaction=None)
    assert not Aftermath(replace(ORIGIN, is_booked=False), CREATED, (waiting,)).moved
    assert Aftermath(ORIGIN, CREATED, (refund(),)).moved
    assert Aftermath(ORIGIN, CREATED, (), (dispute("lost", moved("t", -5, "dispute")),)).moved
