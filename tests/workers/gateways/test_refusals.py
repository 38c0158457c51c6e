"""What Stripe's refusals of a payment mean: in its own words and codes, as it documents them."""

from typing import Any

import pytest
import stripe

from workers.gateways.stripe_errors import declined
from workers.gateways.stripe_objects import Declined

INTENT = {"payment_intent": {"id": "pi_1", "status": "requires_confirmation"}}
NO_MANDATE = (
    "This PaymentIntent requires a mandate, but no existing mandate was found. Collect mandate "
    "acceptance from the customer and try again, providing acceptance data in the mandate_data "
    "parameter."
)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (
            {"message": NO_MANDATE, **INTENT},
            Declined("payment_method_not_accepted", None, "pi_1"),
        ),
        (
            {"message": NO_MANDATE, "code": "parameter_missing", "param": "mandate_data"},
            Declined("payment_method_not_accepted"),
        ),
        (
            {"message": "The mandate is invalid.", "code": "payment_intent_mandate_invalid"},
            Declined("payment_method_not_accepted"),
        ),
        (
            {"message": "You must provide a `return_url`.", "param": "return_url"},
            Declined("payment_method_not_accepted"),
        ),
        (
            {"message": "This Connect account cannot currently make charges."},
            Declined("account_unavailable"),
        ),
    ],
)
def test_what_a_refusal_means_for_the_attempt(error: dict[str, Any], expected: Declined) -> None:
    body = {"error": {"type": "invalid_request_error", **error}}
    raised = stripe.InvalidRequestError(  # type: ignore[no-untyped-call]  # the library
        error["message"],
        error.get("param"),
        code=error.get("code"),
        http_status=400,
        json_body=body,
    )
    assert declined(raised) == expected
