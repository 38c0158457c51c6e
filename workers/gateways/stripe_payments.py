"""What is done to a PaymentIntent that exists: confirm it with another method, cancel it.

A gift has one intent at a time, so trying again confirms the same one: whatever happens, Stripe
takes the money of one intent once (Stripe, "How PaymentIntents work").
"""

from typing import Final
from uuid import UUID

import stripe

from workers.gateways.stripe_errors import declined, error_of, missing
from workers.gateways.stripe_gateway import StripeGateway, idempotency_key
from workers.gateways.stripe_objects import (
    AccessRevoked,
    Declined,
    Intent,
    Missing,
    read_intent,
)

#: The intent is past what was asked of it: what it is now is the answer. Stripe API, "Error codes".
_UNEXPECTED: Final = "payment_intent_unexpected_state"

Answer = Intent | Declined | Missing | AccessRevoked


async def confirm_intent(
    gateway: StripeGateway,
    account: str,
    intent: str,
    *,
    donation: str,
    payment_method: str,
    attempt: int,
    return_url: str | None,
) -> Answer:
    """Try to collect an intent with this payment method; what it is, if it is past that.

    `return_url` is given exactly for an intent that allows redirects, which Stripe does not confirm
    without one (API, "Confirm a PaymentIntent").
    """
    more = {} if return_url is None else {"return_url": return_url}
    try:
        body = await gateway.ask(
            "post",
            f"/v1/payment_intents/{intent}/confirm",
            account,
            idempotency_key=idempotency_key("payment_intent.confirm", donation, attempt),
            payment_method=payment_method,
            **more,
        )
    except stripe.InvalidRequestError as error:
        if _is_past(error):
            return await gateway.fetch_intent(account, intent)
        if error.http_status == 404:
            return missing(error)
        return declined(error)
    except (stripe.CardError, stripe.PermissionError) as error:
        return declined(error)
    except stripe.APIError:
        # Stripe failed within and keeps saying so for this key: the intent tells what came of it.
        return await gateway.fetch_intent(account, intent)
    return read_intent(body)


async def cancel_intent(
    gateway: StripeGateway, account: str, intent: str, *, command: UUID, reason: str
) -> Intent | Missing | AccessRevoked:
    """Cancel an intent; what it is, when it can no longer be canceled.

    `command` is the message that asks for it: Stripe keeps its answer to each, a no included.
    `reason` is one of Stripe's (API, "Cancel a PaymentIntent").
    """
    try:
        body = await gateway.ask(
            "post",
            f"/v1/payment_intents/{intent}/cancel",
            account,
            idempotency_key=idempotency_key("payment_intent.cancel", str(command), 1),
            cancellation_reason=reason,
        )
    except stripe.PermissionError:
        return AccessRevoked()
    except stripe.InvalidRequestError as error:
        return await gateway.fetch_intent(account, intent) if _is_past(error) else missing(error)
    except stripe.APIError:
        return await gateway.fetch_intent(account, intent)
    return read_intent(body)


def _is_past(error: stripe.InvalidRequestError) -> bool:
    return error_of(error).get("code") == _UNEXPECTED
