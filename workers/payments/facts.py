"""What payments tells: each fact and its id, the same whoever observes it. Pure."""

from uuid import UUID

from contracts.identifiers import business_id, caused_id, parse_type_id, time_of, type_id
from contracts.payments import FeeLine, PaymentCaptured, PaymentFailed
from workers.gateways.stripe_objects import Charge
from workers.payments.decisions import Captured, Failed


def captured_fact(account: str, captured: Captured) -> PaymentCaptured:
    """The fact to tell when the money is there."""
    transaction = captured.balance_transaction
    return PaymentCaptured(
        donation=captured.request,
        account=account,
        payment_intent=captured.payment_intent,
        charge=captured.charge.id,
        balance_transaction=transaction.id,
        gross_minor=transaction.amount_minor,
        fee_minor=transaction.fee_minor,
        platform_fee_minor=transaction.platform_fee_minor,
        net_minor=transaction.net_minor,
        settlement_currency=transaction.currency,
        captured_at=captured.charge.created,
        fees=tuple(
            FeeLine(kind=fee.kind, amount_minor=fee.amount_minor) for fee in transaction.fees
        ),
        exchange_rate=transaction.exchange_rate,
        fund=captured.fund if captured.fund != captured.request.fund else None,
    )


def captured_id(account: str, charge: Charge) -> UUID:
    """The id of that fact, whichever event showed it."""
    return business_id(charge.created, f"stripe:{account}:charge:{charge.id}:captured")


def donation_entry(account: str, charge: Charge) -> str:
    """The id of the gift's entry: what later entries about the charge refer to."""
    return type_id("ent", caused_id(captured_id(account, charge), "entries.requested.v1"))


def failed_fact(failed: Failed, attempt: int) -> PaymentFailed:
    """The fact to tell when an attempt ended without money."""
    failure = failed.failure
    return PaymentFailed(
        donation=failed.request.donation,
        amount_minor=failed.request.amount_minor,
        code=failure.code,
        decline_code=failure.decline_code,
        attempt=attempt,
        minimum_minor=failure.minimum_minor,
        minimum_currency=failure.minimum_currency,
    )


def failed_id(donation: str, attempt: int) -> UUID:
    """The id of that fact, whether the call's answer or an event showed it."""
    asked = time_of(parse_type_id("don", donation))
    which = "" if attempt == 1 else f":{attempt}"
    return business_id(asked, f"amply:donation:{donation}:failed{which}")


def closed_id(donation: str) -> UUID:
    """The id of the fact that a gift will never be paid, whoever learns of it first."""
    asked = time_of(parse_type_id("don", donation))
    return business_id(asked, f"amply:donation:{donation}:closed")
