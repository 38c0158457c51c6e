"""Cards as Stripe names them: which payment methods are of one and the same."""

from typing import Any

import stripe

from workers.gateways.stripe_gateway import StripeGateway


async def fetch_fingerprint(
    gateway: StripeGateway, account: str, payment_method: str
) -> str | None:
    """The fingerprint of the card behind `pm_…`; None when it is no card, or nobody may look.

    Source: Stripe API, "The PaymentMethod object", `card.fingerprint`.
    """
    path = f"/v1/payment_methods/{payment_method}"
    try:
        body: dict[str, Any] = await gateway.ask("get", path, account)
    except (stripe.InvalidRequestError, stripe.PermissionError):
        return None
    fingerprint: str | None = (body.get("card") or {}).get("fingerprint")
    return fingerprint
