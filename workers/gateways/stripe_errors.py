"""What Stripe's errors say: a final no to a payment, an object that is missing, words for a log."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

import stripe

from contracts.money import EXPONENTS, exponent_of
from contracts.payments import FailureCode
from workers.gateways.stripe_objects import Declined, Missing, read_declined_card
from workers.runtime.worker import Refused

#: A 400's `param` starts with the key: whose fault the refusal is. Stripe API, "Errors".
_BY_PARAMETER: Final[dict[str, FailureCode]] = {
    "amount": "amount_not_accepted",
    "currency": "amount_not_accepted",
    "payment_method": "payment_method_not_accepted",
    "return_url": "payment_method_not_accepted",
    "mandate": "payment_method_not_accepted",
}
#: A 400's `code` starts with the key. Stripe API, "Error codes".
_BY_CODE: Final[dict[str, FailureCode]] = {
    "account_": "account_unavailable",
    "amount_too_small": "amount_too_small",
    "amount_": "amount_not_accepted",
    "charge_not_allowed": "account_unavailable",
    "invalid_charge_amount": "amount_not_accepted",
    "payment_intent_incompatible_payment_method": "payment_method_not_accepted",
    "payment_intent_mandate_invalid": "payment_method_not_accepted",
    "payment_method_": "payment_method_not_accepted",
    "platform_account_required": "account_unavailable",
}

#: For instance "Amount must be at least $0.50 usd" (support.stripe.com, minimum charge amounts).
_LEAST: Final = re.compile(
    r"at least [^0-9\s]{0,4}([0-9][0-9,]{0,12}(?:\.[0-9]{1,3})?) ([a-z]{3})\b"
)


def declined(error: stripe.StripeError) -> Declined:
    """What a final no to a payment says; `Refused` when nobody can use it."""
    intent = error_of(error).get("payment_intent")
    payment_intent = intent.get("id") if isinstance(intent, Mapping) else None
    if isinstance(error, stripe.CardError):
        decline_code = error_of(error).get("decline_code") or error.code
        card = read_declined_card(error_of(error))
        return Declined("card_declined", decline_code, payment_intent, card=card)
    if isinstance(error, stripe.PermissionError):
        return Declined("account_unavailable")
    parameter, code = error_of(error).get("param") or "", error.code or ""
    if not parameter and not code:
        # Stripe says so that a bank debit has no mandate, with the intent ("ACH Direct Debit"), and
        # without one that the account may not take charges.
        if payment_intent is not None:
            return Declined("payment_method_not_accepted", None, payment_intent)
        return Declined("account_unavailable")
    for table, word in ((_BY_CODE, code), (_BY_PARAMETER, parameter)):
        for start, failure in table.items():
            if word.startswith(start):
                return Declined(failure, None, payment_intent, *_minimum(failure, error))
    raise Refused("stripe_refused", spell_error(error)) from error


def _minimum(failure: FailureCode, error: stripe.StripeError) -> tuple[int | None, str | None]:
    """The least charge that Stripe names; it does so in the text of the error only."""
    found = _LEAST.search(error_of(error).get("message") or "")
    if failure != "amount_too_small" or found is None or found[2].upper() not in EXPONENTS:
        return None, None
    currency = found[2].upper()
    least = Decimal(found[1].replace(",", "")).scaleb(exponent_of(currency))
    return (int(least), currency) if least == int(least) > 0 else (None, None)


def missing(error: stripe.InvalidRequestError) -> Missing:
    """That the account has no such object; `Refused` when Stripe means something else."""
    if error.http_status == 404:
        return Missing()
    raise Refused("stripe_refused", spell_error(error)) from error


def error_of(error: stripe.StripeError) -> Mapping[str, Any]:
    """Stripe's own description of an error (API, "Errors"); empty when there is none."""
    body = error.json_body
    inner = body.get("error") if isinstance(body, Mapping) else None
    return inner if isinstance(inner, Mapping) else {}


def spell_error(error: stripe.StripeError) -> str:
    """What a log may say about an error."""
    # Stripe's message may quote what a donor typed: type, status and code say enough.
    return f"Stripe: {type(error).__name__}, status {error.http_status}, code {error.code}"
