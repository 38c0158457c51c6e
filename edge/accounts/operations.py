"""What the API offers of an organization's account at Stripe."""

from typing import Final

from edge.access import PUBLIC, Access
from edge.accounts.models import AccountCreation, AccountRequest, LinkCreation, StripeAccount
from edge.operation import ALWAYS, ORGANIZATION, WITH_KEY, Operation, parameter

_PATH: Final = "/v1/organizations/{organization}/stripe-account"
_IDEMPOTENCY_KEY: Final = parameter(
    "Idempotency-Key",
    "header",
    "Fresh for each request, the same for each repetition of it.",
    {"type": "string", "minLength": 1, "maxLength": 255},
    required=True,
)
_PREFER: Final = parameter(
    "Prefer", "header", "`wait=N`: answer when settled, at most N (30) seconds.", {"type": "string"}
)
_TOKEN: Final = parameter(
    "token", "query", "Signed by us, good for two hours.", {"type": "string"}, required=True
)
_WRITE: Final = (
    "idempotency_key_missing",
    "idempotency_key_malformed",
    "permission_denied",
    "organization_not_found",
    "account_missing",
    "account_unavailable",
    "query_not_accepted",
    "idempotency_key_reused",
    "stripe_refused",
    "permissions_unavailable",
    *WITH_KEY,
)
_BODY: Final = (
    "malformed_json",
    "request_timeout",
    "body_too_large",
    "unsupported_media_type",
    "invalid_body",
)
_READ: Final = (
    "permission_denied",
    "organization_not_found",
    "query_not_accepted",
    "permissions_unavailable",
    *WITH_KEY,
)
_PAGE: Final = ("not_found", "query_not_accepted", *ALWAYS)

ACCOUNTS: Final = (
    Operation(
        method="post",
        path=_PATH,
        identifier="createStripeAccount",
        summary="Make a connected account. 202 while Stripe has not answered.",
        status=201,
        answer=AccountRequest,
        body=AccountCreation,
        access=Access(
            scope="accounts:write",
            permission="manage_stripe_account",
            is_fresh=True,
            needs_step_up=True,
        ),
        parameters=(ORGANIZATION, _IDEMPOTENCY_KEY, _PREFER),
        headers=("Location", "Idempotent-Replayed", "Preference-Applied"),
        problems=("account_exists", "country_not_supported", *_BODY, *_WRITE),
    ),
    Operation(
        method="get",
        path=_PATH,
        identifier="showStripeAccount",
        summary="The account's state, and what Stripe still needs in plain words.",
        status=200,
        answer=StripeAccount,
        access=Access(scope="accounts:read", permission="view_stripe_account"),
        parameters=(ORGANIZATION, _PREFER),
        headers=("ETag", "Preference-Applied"),
        problems=_READ,
    ),
    Operation(
        method="delete",
        path=_PATH,
        identifier="retireStripeAccount",
        summary="Send no more gifts to the account; refunds, disputes and payouts go on.",
        status=200,
        answer=AccountRequest,
        access=Access(
            scope="accounts:write",
            permission="manage_stripe_account",
            is_fresh=True,
            needs_step_up=True,
        ),
        parameters=(ORGANIZATION, _IDEMPOTENCY_KEY, _PREFER),
        headers=("Location", "Idempotent-Replayed", "Preference-Applied"),
        problems=_WRITE,
    ),
    Operation(
        method="post",
        path=f"{_PATH}/links",
        identifier="createStripeAccountLink",
        summary="A fresh link to Stripe's form, for one visit. 202 while Stripe has not answered.",
        status=201,
        answer=AccountRequest,
        body=LinkCreation,
        access=Access(
            scope="accounts:write",
            permission="manage_stripe_account",
            is_fresh=True,
            needs_step_up=True,
        ),
        parameters=(ORGANIZATION, _IDEMPOTENCY_KEY, _PREFER),
        headers=("Location", "Idempotent-Replayed", "Preference-Applied"),
        problems=(*_BODY, *_WRITE),
    ),
    Operation(
        method="get",
        path=f"{_PATH}/requests/{{request}}",
        identifier="showStripeAccountRequest",
        summary="What came of a request that was answered 202.",
        status=200,
        answer=AccountRequest,
        access=Access(scope="accounts:read", permission="view_stripe_account"),
        parameters=(
            ORGANIZATION,
            parameter("request", "path", "Its `areq_…` id.", {"type": "string"}),
            _PREFER,
        ),
        headers=("Preference-Applied",),
        problems=("request_not_found", *_READ),
    ),
    Operation(
        method="get",
        path="/v1/connect/return",
        identifier="returnFromStripe",
        summary="For Stripe: where a person comes back to from a form.",
        status=200,
        access=PUBLIC,
        answer=("text/plain", "application/json"),
        parameters=(_TOKEN,),
        problems=_PAGE,
    ),
    Operation(
        method="get",
        path="/v1/connect/refresh",
        identifier="refreshStripeLink",
        summary="For Stripe: 303 to a fresh link, in place of one that was used or is too old.",
        status=303,
        access=PUBLIC,
        answer="text/plain",
        parameters=(_TOKEN,),
        headers=("Location",),
        problems=(
            "link_expired",
            "account_missing",
            "account_unavailable",
            "stripe_refused",
            *_PAGE,
        ),
    ),
)
