"""What a donor's browser may do: see and confirm one payment intent by its `client_secret`.

Publishable keys (`pk_test_...`) are no secret; every other request with one is refused
(docs.stripe.com/keys, docs.stripe.com/api/payment_intents/confirm).
"""

import hashlib
import hmac

from deploy.sandbox.calls import Call
from deploy.sandbox.errors import StripeError, invalid_parameter
from deploy.sandbox.store import Body

PREFIX = "pk_test_"
# The fields of an intent that a client is shown.
_SHOWN = (
    "id",
    "object",
    "amount",
    "amount_details",
    "automatic_payment_methods",
    "canceled_at",
    "cancellation_reason",
    "capture_method",
    "client_secret",
    "confirmation_method",
    "created",
    "currency",
    "description",
    "last_payment_error",
    "livemode",
    "next_action",
    "payment_method",
    "payment_method_configuration_details",
    "payment_method_types",
    "processing",
    "receipt_email",
    "setup_future_usage",
    "shipping",
    "source",
    "status",
)


def key_of(secret_key: str) -> str:
    """Return the publishable key that belongs to a secret one, and does not tell it."""
    return PREFIX + hashlib.blake2b(secret_key.encode(), digest_size=12).hexdigest()


def is_key(key: str) -> bool:
    """Say whether a key is a client's."""
    return key.startswith(PREFIX)


def refused() -> StripeError:
    """A request that needs a secret key: 403."""
    return StripeError(
        403,
        "This API call cannot be made with a publishable API key. Please use a secret API key. "
        "You can find a list of your API keys at https://dashboard.stripe.com/account/apikeys.",
        code="secret_key_required",
        stored=False,
    )


def check_secret(call: Call, intent: Body) -> None:
    """Raise StripeError (400) unless the call has the intent's client secret."""
    given = call.params.get("client_secret", "")
    if not hmac.compare_digest(given.encode(), intent["client_secret"].encode()):
        raise invalid_parameter(
            "The client_secret provided does not match any associated PaymentIntent on this "
            "account. Ensure the publishable key used belongs to the same account that created "
            "the PaymentIntent.",
            "client_secret",
            "payment_intent_invalid_parameter",
        )


def view(body: Body) -> Body:
    """Return what a client sees of an answer."""
    if body.get("object") != "payment_intent":
        return body
    return {name: body[name] for name in _SHOWN}
