"""Why a payment is declined, in Stripe's words (docs.stripe.com/declines/codes)."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Decline:
    """Why an issuer said no: Stripe's code, decline code and message.

    `blocked` declines are Radar's own: the issuer was never asked.
    """

    code: str
    decline_code: str
    message: str
    blocked: bool = False


GENERIC = Decline("card_declined", "generic_decline", "Your card was declined.")
NO_FUNDS = Decline("card_declined", "insufficient_funds", "Your card has insufficient funds.")
LOST = Decline("card_declined", "lost_card", "Your card was declined.")
STOLEN = Decline("card_declined", "stolen_card", "Your card was declined.")
TOO_OFTEN = Decline(
    "card_declined",
    "card_velocity_exceeded",
    "Your card was declined for making repeated attempts too frequently or exceeding its amount "
    "limit.",
)
BLOCKED = Decline("card_declined", "fraudulent", "Your card was declined.", blocked=True)
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
