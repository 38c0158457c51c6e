"""Every way the edge says no: one table of problems (RFC 9457).

A detail never quotes personal data or a secret.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from edge.limits.problems import PROBLEMS as _OF_LIMITS
from edge.members.problems import PROBLEMS as _OF_ORGANIZATIONS
from edge.problem_kind import ProblemKind
from edge.problems_of_affairs import PROBLEMS_OF_AFFAIRS
from edge.sessions.problems import PROBLEMS as _OF_PEOPLE

MEDIA_TYPE: Final = "application/problem+json"


PROBLEMS: Final[dict[str, ProblemKind]] = {
    **_OF_LIMITS,
    **_OF_PEOPLE,
    **PROBLEMS_OF_AFFAIRS,
    **_OF_ORGANIZATIONS,
    "malformed_request": ProblemKind(400, "Not valid HTTP", "Send HTTP/1.1 as RFC 9112 has it."),
    "malformed_json": ProblemKind(400, "Not valid JSON", "Send one JSON object in UTF-8."),
    "idempotency_key_missing": ProblemKind(
        400, "Idempotency-Key is missing", "Send a fresh random key with each new gift."
    ),
    "idempotency_key_malformed": ProblemKind(
        400, "Idempotency-Key is malformed", "Send 1 to 255 printable ASCII characters, once."
    ),
    "signature_malformed": ProblemKind(
        400, "Stripe-Signature is malformed", "Send the header as Stripe documents it."
    ),
    "signature_wrong": ProblemKind(
        400, "Stripe-Signature is wrong", "Sign the exact bytes with a secret of this endpoint."
    ),
    "signature_out_of_time": ProblemKind(
        400, "Stripe-Signature is out of time", "Sign within 300 seconds of sending."
    ),
    "organization_not_named": ProblemKind(
        400, "No organization is named", "Name yours in the header `Amply-Organization`."
    ),
    "unauthenticated": ProblemKind(
        401, "The API key is missing or wrong", "Send `Authorization: Bearer <API key>`."
    ),
    "step_up_needed": ProblemKind(
        401, "A fresh sign-in with a second factor is needed", "Sign in again with both factors."
    ),
    "key_of_other_environment": ProblemKind(
        401, "The API key is of another environment", "Use test keys for test, live keys for live."
    ),
    "scope_missing": ProblemKind(
        403, "A scope is missing", "Use a key or a token that has the scope named."
    ),
    "permission_denied": ProblemKind(
        403, "You may not do that there", "Ask the organization to permit it."
    ),
    "https_required": ProblemKind(
        403,
        "The request came in clear",
        "Use https. Whatever secret was in the request may be known to others: replace it.",
    ),
    "address_denied": ProblemKind(
        403, "Nothing is taken from this address", "Ask the operators of this server."
    ),
    "not_found": ProblemKind(404, "Nothing is there", "See /openapi.json for what there is."),
    "donation_not_found": ProblemKind(
        404, "No such donation", "Use the address that the 202 answer gave, with the same key."
    ),
    "erasure_not_found": ProblemKind(
        404, "No such request", "Give the `era_…` id of a request to forget a donor."
    ),
    "erasure_decided": ProblemKind(
        409, "The request is decided", "An approval cannot be taken back."
    ),
    "donor_not_found": ProblemKind(
        404, "No such donor", "Give the `prof_…` id of a donor who was not forgotten."
    ),
    "gift_without_donor": ProblemKind(
        409, "The gift has no donor", "It came without one, or its donor was forgotten."
    ),
    "refund_not_found": ProblemKind(
        404, "No such refund", "Use the address that the 202 answer gave, with the same key."
    ),
    "organization_not_found": ProblemKind(
        404, "No such public organization", "Check the organization's short name."
    ),
    "not_counted": ProblemKind(
        404, "No published census counts it yet", "Ask again tomorrow: it is taken once a day."
    ),
    "size_not_published": ProblemKind(
        404, "The log has no such size yet", "Ask for a size up to that of the newest checkpoint."
    ),
    "request_not_found": ProblemKind(
        404, "No such request", "Use the address that the 202 answer gave, with the same key."
    ),
    "entry_not_found": ProblemKind(
        404, "The organization has no such entry", "Give the `ent_…` id of one of its entries."
    ),
    "method_not_allowed": ProblemKind(
        405, "The method is not allowed there", "Use a method that the header Allow names."
    ),
    "request_timeout": ProblemKind(
        408, "The body came too slowly", "Send the whole body within 10 seconds."
    ),
    "request_in_progress": ProblemKind(
        409,
        "A request with this Idempotency-Key is still running",
        "Wait for its answer, then send the same request again if that was lost.",
    ),
    "donations_not_accepted": ProblemKind(
        409, "The organization takes no donations now", "Ask the organization when it will."
    ),
    "account_unavailable": ProblemKind(
        409,
        "The organization's account takes no charges now",
        "Try again later, or ask the organization to finish its setup at Stripe.",
    ),
    "gift_not_paid": ProblemKind(
        409, "The gift is not paid", "Refund it once its money has come, or let it end unpaid."
    ),
    "dispute_open": ProblemKind(
        409,
        "The donor's bank disputes the gift",
        "Answer the dispute at Stripe; what is won can be refunded again.",
    ),
    "exceeds_refundable": ProblemKind(
        409, "That much is not left of the gift", "Refund at most `refundable_amount_minor`."
    ),
    "account_exists": ProblemKind(
        409,
        "The organization has an account at Stripe",
        "Send `replace: true` to move to a new one.",
    ),
    "account_missing": ProblemKind(
        409, "The organization has no account at Stripe", "Ask for an account first."
    ),
    "donation_pending": ProblemKind(
        409, "An attempt is under way", "Wait for its outcome: `Prefer: wait=10` on the donation."
    ),
    "donation_paid": ProblemKind(
        409, "The money is on its way, or there", "Nothing is to do; a refund gives it back."
    ),
    "donation_closed": ProblemKind(
        409, "The gift was canceled or has expired", "Make a new gift with a new Idempotency-Key."
    ),
    "not_yet_covered": ProblemKind(
        409, "No checkpoint covers the gift yet", "Try again shortly, or send `Prefer: wait=10`."
    ),
    "no_receipt": ProblemKind(
        409, "There is no receipt", "The gift was not paid; try again, or make a new one."
    ),
    "link_expired": ProblemKind(
        410, "The link is too old", "Ask the organization's people for a new link."
    ),
    "precondition_failed": ProblemKind(
        412, "It was changed meanwhile", "Fetch it again, and send its new ETag in If-Match."
    ),
    "body_too_large": ProblemKind(413, "The body is too large", "Send less than the limit named."),
    "unsupported_media_type": ProblemKind(
        415, "The content type is not supported", "Send `Content-Type: application/json`, plain."
    ),
    "expectation_failed": ProblemKind(
        417, "The expectation cannot be met", "Send no Expect header but `100-continue`."
    ),
    "invalid_body": ProblemKind(
        422, "The body breaks a rule", "Correct the fields that `errors` names."
    ),
    "query_not_accepted": ProblemKind(
        422, "A query parameter is not accepted", "Remove or correct the parameter named."
    ),
    "organization_unknown": ProblemKind(
        422, "No such organization", "Give an organization's short name or `org_…` id."
    ),
    "fund_unknown": ProblemKind(
        422, "The organization has no such fund", "Give an active fund of it, or none."
    ),
    "currency_not_accepted": ProblemKind(
        422, "The organization has no fund for gifts", "Ask the organization to open a fund."
    ),
    "currency_not_supported": ProblemKind(
        422, "Gifts in this currency are not taken here", "Give in another currency."
    ),
    "amount_not_chargeable": ProblemKind(
        422,
        "The currency has no such fraction to pay with",
        "Give an amount that the detail's step divides.",
    ),
    "country_not_supported": ProblemKind(
        422, "Stripe makes no accounts in this country", "Give the country of the organization."
    ),
    "idempotency_key_reused": ProblemKind(
        422,
        "The Idempotency-Key belongs to another request",
        "Send the same request as before, or a new key for a new one.",
    ),
    "precondition_required": ProblemKind(
        428, "If-Match is missing", "Send the ETag of what you fetched in If-Match."
    ),
    "too_many_requests": ProblemKind(
        429,
        "Too many gifts are being made",
        "Try again, with the same Idempotency-Key, after the seconds that Retry-After tells.",
    ),
    "internal": ProblemKind(
        500, "Something went wrong here", "Try again with the same Idempotency-Key; tell us the id."
    ),
    "stripe_refused": ProblemKind(
        502, "Stripe does not let us do that now", "Tell us the request's id: it is ours to mend."
    ),
    "unavailable": ProblemKind(
        503, "Not available for a moment", "Try again with the same Idempotency-Key."
    ),
    "permissions_unavailable": ProblemKind(
        503, "Permissions cannot be checked now", "Try again with the same Idempotency-Key."
    ),
    "backlog": ProblemKind(
        503, "Too much work is waiting", "Try again later with the same Idempotency-Key."
    ),
}

#: Statuses that aiohttp raises by itself.
BY_STATUS: Final = {
    400: "malformed_request",
    404: "not_found",
    405: "method_not_allowed",
    408: "request_timeout",
    413: "body_too_large",
    415: "unsupported_media_type",
    417: "expectation_failed",
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with one field. `param` is its path with dots, "" for the whole body."""

    param: str
    code: str
    detail: str


class ProblemError(Exception):
    """The request ends with this problem."""

    def __init__(
        self,
        code: str,
        detail: str | None = None,
        *,
        param: str | None = None,
        faults: Sequence[Fault] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.kind = PROBLEMS[code]
        super().__init__(detail or self.kind.advice)
        self.code = code
        self.detail = detail or self.kind.advice
        self.param = param
        self.faults = tuple(faults)
        self.headers = dict(headers or {})
