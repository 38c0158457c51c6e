"""The test instrument behind a payment method or a charge: what it will do next."""

from deploy.sandbox import balance
from deploy.sandbox.calls import Call
from deploy.sandbox.cards import CARD_OF_FINGERPRINT, CARDS, Card
from deploy.sandbox.money import DISPUTE_FEES
from deploy.sandbox.store import Body

Instrument = Card
BY_NAME: dict[str, Instrument] = dict(CARDS)


def of_method(method: Body) -> Instrument:
    """Return the instrument of a payment method."""
    return CARD_OF_FINGERPRINT[method[method["type"]]["fingerprint"]]


def of_charge(charge: Body) -> Instrument:
    """Return the instrument that a charge used."""
    return of_method(charge["payment_method_details"])


def dispute_fee(call: Call, charge: Body) -> int:
    """Return what Stripe takes when a charge is charged back, in the settlement currency."""
    return DISPUTE_FEES[balance.settlement_currency(call, call.account)]
