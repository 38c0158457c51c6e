"""The test instrument behind a payment method or a charge: what it will do next."""

from deploy.sandbox.cards import CARD_OF_FINGERPRINT, CARDS, Card
from deploy.sandbox.store import Body

Instrument = Card
BY_NAME: dict[str, Instrument] = dict(CARDS)


def of_method(method: Body) -> Instrument:
    """Return the instrument of a payment method."""
    return CARD_OF_FINGERPRINT[method[method["type"]]["fingerprint"]]


def of_charge(charge: Body) -> Instrument:
    """Return the instrument that a charge used."""
    return of_method(charge["payment_method_details"])
