"""Stripe through its official library: intents as direct charges, and what became of them.

An answer is a value, a final no included. What leaves the outcome unknown (timeout, lost
connection, 5xx, 409, 429) is `Transient`: the same call with the same idempotency key resolves it.
Answers are read as parsed JSON, since the library's typed objects cost 0.6 ms of processor time
each, more than the call.
"""

import hashlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

import aiohttp
import stripe

from workers.gateways import stripe_limits
from workers.gateways.stripe_amounts import AmountNotRepresentableError, to_stripe
from workers.gateways.stripe_errors import declined, missing, spell_error
from workers.gateways.stripe_limits import Call, StripeLimits, Urgency
from workers.gateways.stripe_objects import (
    AccessRevoked,
    Declined,
    Intent,
    Missing,
    Unresolved,
    read_intent,
)
from workers.runtime.worker import Refused, Transient
from workers.settings import required

API_VERSION: Final = "2026-08-26.dahlia"
CONNECTIONS_MAX: Final = 64
_EXPAND: Final = ["latest_charge.balance_transaction"]


def idempotency_key(operation: str, subject: str, attempt: int) -> str:
    """Names one try of one operation on one object of ours: SHA-256, hex."""
    return hashlib.sha256(f"{operation}\n{subject}\n{attempt}".encode()).hexdigest()


class StripeGateway:
    """Calls on connected accounts: `Transient` when unknown, `Refused` when nobody can use it."""

    def __init__(
        self, client: stripe.StripeClient, limits: StripeLimits, urgency: Urgency = "urgent"
    ) -> None:
        self._client, self._limits, self._urgency = client, limits, urgency

    def patient(self) -> "StripeGateway":
        """The same gateway for calls that let all others go first."""
        return StripeGateway(self._client, self._limits, "patient")

    async def create_intent(
        self,
        account: str,
        *,
        donation: str,
        organization: str,
        amount_minor: int,
        currency: str,
        payment_method: str | None,
        attempt: int,
        platform_fee_minor: int = 0,
    ) -> Intent | Declined | Unresolved:
        """Create a direct charge (Stripe, "Create direct charges") and confirm it.

        Without `payment_method` it is left for the donor to confirm on the client, by any of the
        methods that the organization enabled. `platform_fee_minor` is taken off for the platform.
        """
        parameters: dict[str, Any] = {"automatic_payment_methods": {"enabled": True}}
        if payment_method is not None:
            methods = {"enabled": True, "allow_redirects": "never"}
            parameters = {
                "automatic_payment_methods": methods,
                "payment_method": payment_method,
                "confirm": True,
            }
        try:
            amount = to_stripe(amount_minor, currency)
            if platform_fee_minor:
                parameters["application_fee_amount"] = to_stripe(platform_fee_minor, currency)
        except AmountNotRepresentableError:
            return Declined("amount_not_accepted")
        try:
            body = await self.ask(
                "post",
                "/v1/payment_intents",
                account,
                idempotency_key=idempotency_key("payment_intent.create", donation, attempt),
                amount=amount,
                currency=currency.lower(),
                **parameters,
                metadata={"donation": donation, "organization": organization},
            )
        except (stripe.CardError, stripe.PermissionError, stripe.InvalidRequestError) as error:
            return declined(error)
        except stripe.APIError:
            return Unresolved()
        return read_intent(body)

    async def find_intent(self, account: str, donation: str) -> Intent | AccessRevoked | None:
        """The intent that carries this donation in its metadata, whenever it was created."""
        try:
            body = await self.ask(
                "get",
                "/v1/payment_intents/search",
                account,
                query=f"metadata['donation']:'{donation}'",
            )
        except stripe.PermissionError:
            return AccessRevoked()
        found = [intent for intent in map(read_intent, body["data"]) if intent.donation == donation]
        return next((intent for intent in found if intent.status == "succeeded"), None) or next(
            iter(found), None
        )

    async def fetch_intent(self, account: str, found: str) -> Intent | Missing | AccessRevoked:
        """The intent `pi_…`, or that of the charge `ch_…`, with charge and balance transaction."""
        try:
            if not found.startswith("pi_"):
                charge = await self.ask("get", f"/v1/charges/{found}", account)
                if not isinstance(charge.get("payment_intent"), str):
                    return Missing()
                found = charge["payment_intent"]
            path = f"/v1/payment_intents/{found}"
            return read_intent(await self.ask("get", path, account, expand=_EXPAND))
        except stripe.PermissionError:
            return AccessRevoked()
        except stripe.InvalidRequestError as error:
            return missing(error)
        except AmountNotRepresentableError as error:
            raise Refused("currency_not_supported", str(error)) from error

    async def ask(self, method: str, path: str, account: str | None, /, **parameters: Any) -> Any:
        """One call on a connected account, or the platform (None); the answer as parsed JSON.

        A final no stays the library's error (CardError, PermissionError, InvalidRequestError), as
        does a failure of Stripe's that it keeps for the key (APIError). `Transient`: unknown, or
        not made at all: `Away`, while Stripe or the account takes no calls.
        """
        async with self._limits.turn(account, self._urgency) as call:
            try:
                response = await self._client.raw_request_async(
                    method, path, stripe_account=account, **parameters
                )
            except stripe.StripeError as error:
                _note(call, error)
                if _is_answer(error):
                    raise
                raise _spelled(error) from error
            except (aiohttp.ClientError, TimeoutError) as error:
                # The library leaves errors while it reads an answer's body as they are.
                call.outcome = "failed"
                raise Transient(f"no answer from Stripe: {type(error).__name__}") from error
            call.outcome = "answered"
        return response.data


def _note(call: Call, error: stripe.StripeError) -> None:
    """What an error says about Stripe and our pace, whatever it says about the request."""
    if isinstance(error, stripe.RateLimitError):
        reason = (error.headers or {}).get("Stripe-Rate-Limited-Reason")
        call.limited(reason or error.code)
    elif isinstance(error, stripe.APIConnectionError) or (error.http_status or 0) >= 500:
        # What Stripe kept of a failure is told by a Stripe that works.
        call.outcome = "answered" if _is_replayed(error) else "failed"
    else:
        call.outcome = "answered"


def _is_answer(error: stripe.StripeError) -> bool:
    """Whether the error is Stripe's final word about the request."""
    if isinstance(error, stripe.APIError):
        return _is_replayed(error)
    return isinstance(error, stripe.CardError | stripe.PermissionError) or (
        isinstance(error, stripe.InvalidRequestError)
        and not isinstance(error, stripe.IdempotencyError)
    )


def _spelled(error: stripe.StripeError) -> Exception:
    """What an error that is no answer means for whoever asked."""
    if isinstance(error, stripe.IdempotencyError):
        return Refused("idempotency_conflict", "the key was used with another body")
    return Transient(spell_error(error))


def _is_replayed(error: stripe.StripeError) -> bool:
    # Stripe keeps the answer to a key, a failure of its own included (API, "Idempotent requests").
    replayed = (error.headers or {}).get("Idempotent-Replayed") == "true"
    return replayed and (error.http_status or 0) >= 500


@asynccontextmanager
async def open_stripe(settings: Mapping[str, str], process: str) -> AsyncIterator[StripeGateway]:
    """A gateway on `AMPLY_STRIPE` (unset: Stripe itself) with `AMPLY_STRIPE_KEY`.

    `process` says whose share of Stripe's limits it takes.
    """
    stripe.enable_telemetry = False
    limits = stripe_limits.load(settings, process)
    timeout = aiohttp.ClientTimeout(total=limits.timeout_s)
    address = settings.get("AMPLY_STRIPE")
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=CONNECTIONS_MAX),
        cookie_jar=aiohttp.DummyCookieJar(),
    ) as session:
        client = stripe.StripeClient(
            required(settings, "AMPLY_STRIPE_KEY", "the platform's secret key at Stripe"),
            stripe_version=API_VERSION,
            # 1.0 ms of processor time a call; the HTTPX client takes 4.9 ms.
            http_client=stripe.AIOHTTPClient(timeout=timeout, session=session),
            max_network_retries=0,
            base_addresses={"api": address.rstrip("/")} if address else None,
        )
        yield StripeGateway(client, StripeLimits(limits))
