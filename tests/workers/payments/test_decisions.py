"""What answers and events mean, without Stripe or a database."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.workers.bench import event, gift, new
from workers.gateways.stripe_objects import (
    AccessRevoked,
    BalanceTransaction,
    Charge,
    Declined,
    Intent,
    Missing,
)
from workers.payments import decisions, facts
from workers.payments.decisions import (
    Attempt,
    Captured,
    Closed,
    Elsewhere,
    Failed,
    Ignored,
    State,
    Underway,
)
from workers.runtime.worker import Refused, Transient

ORGANIZATION, FUND = new("org"), new("fund")
GIFT = gift(ORGANIZATION, FUND).body
EVENT = event(ORGANIZATION, "acct_1", "payment_intent.succeeded", "pi_1")
CREATED = datetime(2027, 1, 1, tzinfo=UTC)
TRANSACTION = BalanceTransaction("txn_1", "EUR", 2500, 63, 0, 2437, CREATED, "charge", "ch_1")
CHARGE = Charge("ch_1", CREATED, TRANSACTION)
INTENT = Intent(
    "pi_1", "succeeded", 2500, "EUR", GIFT.donation, ORGANIZATION, "pi_1_secret", None, CHARGE
)
ATTEMPT = Attempt("processing", "acct_1", "pi_1", GIFT)


def test_money_that_is_there() -> None:
    verdict = decisions.judge(EVENT, INTENT, ATTEMPT)
    assert verdict == Captured(GIFT, "pi_1", CHARGE, TRANSACTION, FUND)
    fact = facts.captured_fact("acct_1", verdict)
    assert fact.gross_minor == fact.fee_minor + fact.platform_fee_minor + fact.net_minor


@pytest.mark.parametrize(
    ("intent", "attempt", "reason"),
    [
        (Missing(), None, "not_found"),
        (AccessRevoked(), None, "access_revoked"),
        (replace(INTENT, donation=None), None, "foreign"),
        (replace(INTENT, donation="don_x"), None, "foreign"),
        (replace(INTENT, organization=None), ATTEMPT, "account_mismatch"),
        (replace(INTENT, organization=new("org")), ATTEMPT, "account_mismatch"),
        (INTENT, Elsewhere(), "account_mismatch"),
        (INTENT, replace(ATTEMPT, account="acct_2"), "account_mismatch"),
    ],
)
def test_events_that_move_nothing(
    intent: Intent | Missing | AccessRevoked, attempt: Attempt | Elsewhere | None, reason: str
) -> None:
    verdict = decisions.judge(EVENT, intent, attempt)
    assert isinstance(verdict, Ignored)
    assert verdict.reason == reason


@pytest.mark.parametrize(
    "intent",
    [
        replace(INTENT, status="processing"),
        replace(INTENT, charge=replace(CHARGE, balance_transaction=None)),
        replace(INTENT, charge=None),
    ],
)
def test_money_that_is_on_its_way(intent: Intent) -> None:
    assert decisions.judge(EVENT, intent, ATTEMPT) == Underway(GIFT, "pi_1")


def test_nothing_to_say_yet() -> None:
    waits = replace(INTENT, status="requires_action", charge=None)
    assert decisions.judge(EVENT, waits, ATTEMPT) is None


@pytest.mark.parametrize("state", ["calling", "requires_action"])
def test_card_that_a_donor_mistypes_on_the_client_ends_nothing(state: State) -> None:
    declined = replace(INTENT, status="requires_payment_method", charge=None)
    waits = replace(ATTEMPT, state=state, on_client=True)
    assert decisions.judge(EVENT, declined, waits) is None
    assert isinstance(decisions.judge(EVENT, declined, replace(waits, state="processing")), Failed)


@pytest.mark.parametrize(
    ("because", "reason"),
    [("abandoned", "expired"), ("requested_by_customer", "canceled"), (None, "canceled")],
)
def test_canceled_intent_closes_the_gift(because: str | None, reason: str) -> None:
    canceled = replace(INTENT, status="canceled", charge=None, cancellation_reason=because)
    verdict = decisions.judge(EVENT, canceled, ATTEMPT)
    assert isinstance(verdict, Closed)
    assert decisions.observed(verdict).closed_as == reason


def test_fund_that_cannot_hold_the_settlement_currency() -> None:
    verdict = decisions.judge(EVENT, INTENT, ATTEMPT)
    assert isinstance(verdict, Captured)
    assert verdict.fits
    dollars = GIFT.model_copy(update={"fund_currency": "USD"})
    assert not replace(verdict, request=dollars).fits
    assert replace(verdict, request=GIFT.model_copy(update={"fund_currency": "EUR"})).fits


def test_captured_by_this_intent_already() -> None:
    assert decisions.judge(EVENT, INTENT, replace(ATTEMPT, state="captured")) is None


@pytest.mark.parametrize(
    ("intent", "code"),
    [
        (replace(INTENT, amount_minor=2501), "amount_mismatch"),
        (replace(INTENT, currency="USD"), "amount_mismatch"),
        (
            replace(
                INTENT,
                charge=replace(CHARGE, balance_transaction=replace(TRANSACTION, net_minor=2438)),
            ),
            "balance_mismatch",
        ),
        (
            replace(
                INTENT,
                charge=replace(
                    CHARGE,
                    balance_transaction=replace(TRANSACTION, amount_minor=2400, net_minor=2337),
                ),
            ),
            "balance_mismatch",
        ),
    ],
)
def test_figures_that_disagree(intent: Intent, code: str) -> None:
    with pytest.raises(Refused) as refused:
        decisions.judge(EVENT, intent, ATTEMPT)
    assert refused.value.code == code


def test_gift_paid_twice() -> None:
    paid = replace(ATTEMPT, state="captured", payment_intent="pi_other")
    with pytest.raises(Refused, match="paid already"):
        decisions.judge(EVENT, INTENT, paid)


def test_gift_that_is_not_here_yet() -> None:
    with pytest.raises(Transient):
        decisions.judge(EVENT, INTENT, None)


def test_payment_that_failed() -> None:
    failed = replace(
        INTENT, status="requires_payment_method", decline_code="lost_card", charge=None
    )
    verdict = decisions.judge(EVENT, failed, ATTEMPT)
    assert isinstance(verdict, Failed)
    assert (verdict.failure.code, verdict.failure.decline_code) == ("card_declined", "lost_card")


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (INTENT, "processing"),
        (replace(INTENT, status="processing"), "processing"),
        (replace(INTENT, status="requires_action"), "requires_action"),
        (replace(INTENT, status="requires_payment_method"), "failed"),
        (replace(INTENT, status="canceled"), "closed"),
        (Declined("card_declined"), "failed"),
        (AccessRevoked(), "failed"),
    ],
)
def test_progress(answer: Intent | Declined | AccessRevoked, state: str) -> None:
    progress = decisions.progress(answer, str.encode, on_client=False)
    assert progress.state == state
    assert (progress.failure is not None) == (state == "failed")
    assert progress.client_secret == (b"pi_1_secret" if state == "requires_action" else None)


@pytest.mark.parametrize("status", ["requires_payment_method", "requires_confirmation"])
def test_intent_that_is_left_to_the_donors_client(status: str) -> None:
    answer = replace(INTENT, status=status, charge=None)
    progress = decisions.progress(answer, str.encode, on_client=True)
    assert (progress.state, progress.client_secret) == ("requires_action", b"pi_1_secret")


def test_status_that_our_parameters_exclude() -> None:
    with pytest.raises(Refused, match="requires_capture"):
        decisions.progress(replace(INTENT, status="requires_capture"), str.encode, on_client=False)


def test_ages_of_keys_and_searches() -> None:
    now = datetime(2027, 1, 2, tzinfo=UTC)
    assert not decisions.key_may_be_forgotten(now - timedelta(hours=22), now)
    assert decisions.key_may_be_forgotten(now - timedelta(hours=23), now)
    assert not decisions.search_is_current(now, now)
    assert decisions.search_is_current(now - timedelta(minutes=3), now)
