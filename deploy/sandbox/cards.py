"""The test cards (docs.stripe.com/testing): what each does is told by its last four digits."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Decline:
    """Why an issuer said no: Stripe's code, decline code and message."""

    code: str
    decline_code: str
    message: str


@dataclass(frozen=True, slots=True)
class Card:
    """A test card; `asks` is when it wants 3-D Secure: never, always, or off_session as well."""

    last4: str
    brand: str = "visa"
    country: str = "US"
    decline: Decline | None = None
    asks_authentication: bool = False
    available_at_once: bool = False


GENERIC = Decline("card_declined", "generic_decline", "Your card was declined.")
NO_FUNDS = Decline("card_declined", "insufficient_funds", "Your card has insufficient funds.")
LOST = Decline("card_declined", "lost_card", "Your card was declined.")
STOLEN = Decline("card_declined", "stolen_card", "Your card was declined.")
EXPIRED = Decline("expired_card", "expired_card", "Your card has expired.")
WRONG_CVC = Decline("incorrect_cvc", "incorrect_cvc", "Your card's security code is incorrect.")
PROCESSING = Decline(
    "processing_error",
    "processing_error",
    "An error occurred while processing your card. Try again in a little bit.",
)
AUTHENTICATION_REQUIRED = Decline(
    "authentication_required",
    "authentication_required",
    "Your card was declined. This transaction requires authentication.",
)
AUTHENTICATION_FAILED = Decline(
    "payment_intent_authentication_failure",
    "",
    "The provided PaymentMethod has failed authentication. You can provide payment_method_data "
    "or a new PaymentMethod to attempt to fulfill this PaymentIntent again.",
)

_VISA = Card("4242")
_DECLINED = Card("0002", decline=GENERIC)
_THREE_D_SECURE = Card("3220", country="IE", asks_authentication=True)

CARDS = {
    "pm_card_visa": _VISA,
    "pm_card_visa_debit": Card("5556"),
    "pm_card_mastercard": Card("4444", brand="mastercard"),
    "pm_card_amex": Card("8431", brand="amex"),
    "pm_card_de": Card("0016", country="DE"),
    "pm_card_chargeDeclined": _DECLINED,
    "pm_card_visa_chargeDeclined": _DECLINED,
    "pm_card_chargeDeclinedInsufficientFunds": Card("9995", decline=NO_FUNDS),
    "pm_card_visa_chargeDeclinedInsufficientFunds": Card("9995", decline=NO_FUNDS),
    "pm_card_visa_chargeDeclinedLostCard": Card("9987", decline=LOST),
    "pm_card_visa_chargeDeclinedStolenCard": Card("9979", decline=STOLEN),
    "pm_card_chargeDeclinedExpiredCard": Card("0069", decline=EXPIRED),
    "pm_card_chargeDeclinedIncorrectCvc": Card("0127", decline=WRONG_CVC),
    "pm_card_chargeDeclinedProcessingError": Card("0119", decline=PROCESSING),
    "pm_card_authenticationRequired": Card("3184", country="IE", asks_authentication=True),
    "pm_card_threeDSecure2Required": _THREE_D_SECURE,
    "pm_card_threeDSecureRequired": Card("3063", asks_authentication=True),
    "pm_card_bypassPending": Card("0077", available_at_once=True),
}

CARD_OF_LAST4 = {card.last4: card for card in CARDS.values()}
