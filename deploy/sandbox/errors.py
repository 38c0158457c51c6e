"""Refusals in the words, codes and HTTP statuses that Stripe uses (docs.stripe.com/error-codes)."""

from typing import Any

INVALID = "invalid_request_error"


class StripeError(Exception):
    """One refusal: `{"error": {...}}` and its HTTP status.

    `stored` says whether an idempotency key remembers it: refusals before any work began
    (bad parameters, no access, conflicts, rate limits) leave the key unused.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        error_type: str = INVALID,
        stored: bool = True,
        headers: dict[str, str] | None = None,
        **details: Any,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.stored = stored
        self.headers = headers or {}
        self._error = {"message": message, "type": error_type, **details}

    def body(self, request_id: str) -> dict[str, Any]:
        """Return the JSON body, keys without a value left out."""
        error = {key: value for key, value in self._error.items() if value is not None}
        code = error.get("code")
        if code:
            error["doc_url"] = f"https://stripe.com/docs/error-codes/{code.replace('_', '-')}"
        error["request_log_url"] = f"https://dashboard.stripe.com/test/logs/{request_id}"
        return {"error": error}


def invalid_parameter(message: str, param: str | None, code: str | None = None) -> StripeError:
    """A parameter that cannot be used: 400, not remembered by an idempotency key."""
    return StripeError(400, message, param=param, code=code, stored=False)


def unexpected_state(message: str, payment_intent: dict[str, Any]) -> StripeError:
    """An operation that the intent's status forbids: 400, with the intent as it is."""
    return StripeError(
        400, message, code="payment_intent_unexpected_state", payment_intent=payment_intent
    )


def no_such(kind: str, object_id: str, param: str, status: int = 404) -> StripeError:
    """An id that names nothing in this account; 404 in a path, 400 in a parameter."""
    return StripeError(
        status,
        f"No such {kind}: '{object_id}'",
        code="resource_missing",
        param=param,
        stored=status != 400,
    )


def no_access(account: str, key: str) -> StripeError:
    """A `Stripe-Account` that is unknown or has revoked access: 403."""
    return StripeError(
        403,
        f"The provided key '{masked(key)}' does not have access to account '{account}' "
        "(or that account does not exist). Application access may have been revoked.",
        code="account_invalid",
        stored=False,
    )


def unauthorized(key: str | None) -> StripeError:
    """No key, or a wrong one: 401."""
    message = (
        f"Invalid API Key provided: {masked(key)}"
        if key
        else "You did not provide an API key. You need to provide your API key in the "
        "Authorization header, using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY')."
    )
    return StripeError(401, message, stored=False)


def unrecognized_url(method: str, path: str) -> StripeError:
    """A method and path that this sandbox does not serve: 404."""
    message = f"Unrecognized request URL ({method}: {path}). Please see https://stripe.com/docs."
    return StripeError(404, message, stored=False)


def key_in_use(key: str) -> StripeError:
    """Another request with this idempotency key has not finished: 409."""
    return StripeError(
        409,
        "There is currently another in-progress request using this Idempotent Key "
        "(that probably means you submitted twice, and the other request is still going "
        f"through): {key}. Please try again later.",
        error_type="idempotency_error",
        code="idempotency_key_in_use",
        stored=False,
    )


def key_reused(key: str, detail: str) -> StripeError:
    """An idempotency key that was used for something else: 400 `idempotency_error`."""
    return StripeError(
        400,
        f"Keys for idempotent requests can only be used {detail} they were first used "
        f"with. Try using a key other than '{key}' if you meant to execute a different request.",
        error_type="idempotency_error",
        stored=False,
    )


def masked(key: str) -> str:
    """Return a key as Stripe prints it: its kind and last four characters."""
    shown = key[:8] if key.startswith(("sk_test_", "sk_live_", "rk_test_")) else ""
    return f"{shown}{'*' * 8}{key[-4:] if len(key) > 16 else ''}"
