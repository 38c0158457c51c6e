"""The test instrument behind a payment method or a charge: what it costs and will do next."""

from deploy.sandbox import balance
from deploy.sandbox.calls import Call
from deploy.sandbox.cards import CARDS, Card
from deploy.sandbox.debits import DEBITS, TERMS, Debit
from deploy.sandbox.money import DISPUTE_FEES, divide_half_up, processing_fee
from deploy.sandbox.store import Body

Instrument = Card | Debit
BY_NAME: dict[str, Instrument] = {**CARDS, **DEBITS}
_BY_FINGERPRINT = {each.fingerprint: each for each in BY_NAME.values()}


def of_method(method: Body) -> Instrument:
    """Return the instrument of a payment method."""
    return _BY_FINGERPRINT[method[method["type"]]["fingerprint"]]


def of_charge(charge: Body) -> Instrument:
    """Return the instrument that a charge used."""
    return of_method(charge["payment_method_details"])


def stripe_fee(call: Call, instrument: Instrument, amount: int, settlement: str) -> int:
    """Return Stripe's fee for a payment of `amount` in the settlement currency."""
    if isinstance(instrument, Card):
        return processing_fee(amount, settlement)
    terms = TERMS[instrument.method]
    fixed, most = (
        call.world.convert(part, terms.currency, settlement)[0]
        for part in (terms.fixed, terms.fee_max)
    )
    return min(divide_half_up(amount * terms.basis_points, 10_000) + fixed, most)


def dispute_fee(call: Call, charge: Body) -> int:
    """Return what Stripe takes when a charge is charged back, in the settlement currency."""
    settlement = balance.settlement_currency(call, call.account, charge["currency"])
    instrument = of_charge(charge)
    if isinstance(instrument, Card):
        return DISPUTE_FEES[settlement]
    terms = TERMS[instrument.method]
    return call.world.convert(terms.dispute_fee, terms.currency, settlement)[0]
