"""The longer parameter tables of the routes."""

from collections.abc import Mapping

from deploy.sandbox import lists
from deploy.sandbox.calls import API_VERSION
from deploy.sandbox.debits import TERMS
from deploy.sandbox.disputes import EVIDENCE
from deploy.sandbox.parameters import (
    Check,
    Shape,
    boolean,
    ignored,
    integer,
    mapping,
    metadata,
    one_of,
    text,
    texts,
)

EXPAND: Mapping[str, Check] = {"expand": texts()}
NOTHING = Shape(EXPAND)
DATED = Shape(lists.DATED_PARAMETERS)
CONFIRMATION: Mapping[str, Check] = {
    "error_on_requires_action": boolean,
    "mandate_data": ignored,
    "off_session": boolean,
    "payment_method": text(),
    "payment_method_data": mapping(
        {
            "billing_details": ignored,
            "card": ignored,
            "metadata": ignored,
            "sepa_debit": mapping({"iban": text(40)}, ("iban",)),
            "type": one_of("card", "sepa_debit"),
        },
        ("type",),
    ),
    "payment_method_options": mapping(
        {
            "card": mapping({"request_three_d_secure": one_of("any", "automatic", "challenge")}),
            **dict.fromkeys(TERMS, ignored),
        }
    ),
    "return_url": text(),
    "use_stripe_sdk": boolean,
}
INTENT = Shape(
    {
        **EXPAND,
        **CONFIRMATION,
        "amount": integer(1),
        "application_fee_amount": integer(0),
        "automatic_payment_methods": mapping(
            {"allow_redirects": one_of("always", "never"), "enabled": boolean}, ("enabled",)
        ),
        "capture_method": one_of("automatic", "automatic_async", "manual"),
        "confirm": boolean,
        "confirmation_method": one_of("automatic", "manual"),
        "currency": text(),
        "description": text(1000),
        "metadata": metadata,
        "payment_method_types": texts(one_of("card", *TERMS)),
        "receipt_email": text(),
        "setup_future_usage": one_of("off_session", "on_session"),
        "statement_descriptor": text(22),
        "statement_descriptor_suffix": text(22),
        "transfer_group": text(),
    },
    ("amount", "currency"),
)
METADATA = Shape({**EXPAND, "metadata": metadata})
OF_CHARGE = Shape(lists.DATED_PARAMETERS | {"charge": text(), "payment_intent": text()})
REFUND = Shape(
    {
        **EXPAND,
        "amount": integer(1),
        "charge": text(),
        "metadata": metadata,
        "payment_intent": text(),
        "reason": one_of("duplicate", "fraudulent", "requested_by_customer"),
        "refund_application_fee": boolean,
    }
)
DISPUTE = Shape(
    {
        **EXPAND,
        "evidence": mapping(dict.fromkeys(EVIDENCE, text(150_000))),
        "metadata": metadata,
        "submit": boolean,
    }
)
NEW_ENDPOINT: dict[str, Check] = {
    **EXPAND,
    "api_version": one_of(API_VERSION),
    "connect": boolean,
    "description": text(),
    "enabled_events": texts(count_max=300),
    "metadata": metadata,
    "url": text(),
}
ENDPOINT = Shape(
    {name: check for name, check in NEW_ENDPOINT.items() if name not in ("api_version", "connect")}
    | {"disabled": boolean}
)
