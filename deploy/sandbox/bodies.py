"""The JSON bodies of payments, complete as Stripe sends them (API 2026-08-26.dahlia)."""

from typing import Any

from deploy.sandbox.cards import Card
from deploy.sandbox.debits import TERMS, Debit, shown
from deploy.sandbox.declines import Decline
from deploy.sandbox.identifiers import new_id, random_text
from deploy.sandbox.store import Body

Instrument = Card | Debit

EXPIRY_MONTH, EXPIRY_YEAR = 12, 2034
RISK_SCORES = {"normal": 20, "elevated": 65, "highest": 90}

_DEBIT_KEPT: dict[str, Body] = {
    "bacs_debit": {},
    "sepa_debit": {"generated_from": {"charge": None, "setup_attempt": None}},
    "us_bank_account": dict.fromkeys(
        ("financial_connections_account", "networks", "status_details")
    ),
}
_OPTIONS: dict[str, Body] = {
    "bacs_debit": {},
    "card": {
        "installments": None,
        "mandate_options": None,
        "network": None,
        "request_three_d_secure": "automatic",
    },
    "sepa_debit": {},
    "us_bank_account": {"verification_method": "automatic"},
}

NO_BILLING_DETAILS: Body = {
    "address": dict.fromkeys(("city", "country", "line1", "line2", "postal_code", "state")),
    "email": None,
    "name": None,
    "phone": None,
    "tax_id": None,
}


def payment_method(instrument: Instrument, now: int) -> Body:
    """A payment method, new for each use of a test name such as `pm_card_visa`."""
    return {
        "id": new_id("pm"),
        "object": "payment_method",
        "allow_redisplay": "unspecified",
        "billing_details": NO_BILLING_DETAILS,
        instrument.method: _kept(instrument),
        "created": now,
        "customer": None,
        "customer_account": None,
        "livemode": False,
        "metadata": {},
        "type": instrument.method,
    }


def _kept(instrument: Instrument) -> Body:
    if isinstance(instrument, Debit):
        return shown(instrument) | _DEBIT_KEPT[instrument.method]
    return {
        "brand": instrument.brand,
        "checks": _checks(instrument),
        "country": instrument.country,
        "display_brand": instrument.brand,
        "exp_month": EXPIRY_MONTH,
        "exp_year": EXPIRY_YEAR,
        "fingerprint": instrument.fingerprint,
        "funding": instrument.funding,
        "generated_from": None,
        "last4": instrument.last4,
        "networks": {"available": [instrument.brand], "preferred": None},
        "regulated_status": "unregulated",
        "three_d_secure_usage": {"supported": instrument.authentication != "unsupported"},
        "wallet": None,
    }


def _checks(card: Card) -> Body:
    checks = {
        "address_line1_check": None,
        "address_postal_code_check": None,
        "cvc_check": "pass",
    }
    return checks | ({card.check: "fail"} if card.check else {})


def payment_intent(params: dict[str, Any], now: int, application: str | None) -> Body:
    """A payment intent before anything was tried on it."""
    intent_id = new_id("pi")
    types = params.get("payment_method_types") or _automatic_types(params)
    intent: Body = {
        "id": intent_id,
        "object": "payment_intent",
        "allowed_payment_method_types": None,
        "amount": params["amount"],
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": 0,
        "application": application,
        "application_fee_amount": params.get("application_fee_amount"),
        "automatic_payment_methods": _automatic_methods(params),
        "canceled_at": None,
        "cancellation_reason": None,
        "capture_method": params.get("capture_method", "automatic_async"),
        "client_secret": f"{intent_id}_secret_{random_text(25)}",
        "confirmation_method": params.get("confirmation_method", "automatic"),
        "created": now,
        "currency": params["currency"],
        "customer": None,
        "customer_account": None,
        "description": params.get("description"),
        "excluded_payment_method_types": None,
        "last_payment_error": None,
        "latest_charge": None,
        "livemode": False,
        "managed_payments": {"enabled": False},
        "metadata": {key: value for key, value in params.get("metadata", {}).items() if value},
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": None,
        "payment_method_configuration_details": None,
        "payment_method_options": {name: dict(_OPTIONS[name]) for name in types},
        "payment_method_types": types,
        "processing": None,
        "receipt_email": params.get("receipt_email"),
        "review": None,
        "setup_future_usage": params.get("setup_future_usage"),
        "shipping": None,
        "source": None,
        "statement_descriptor": params.get("statement_descriptor"),
        "statement_descriptor_suffix": params.get("statement_descriptor_suffix"),
        "status": "requires_payment_method",
        "transfer_data": None,
        "transfer_group": params.get("transfer_group"),
    }
    set_options(intent, params)
    return intent


def set_options(intent: Body, params: dict[str, Any]) -> None:
    """Change an intent's options for the methods it allows, as the parameters say."""
    for name, options in params.get("payment_method_options", {}).items():
        if name in intent["payment_method_options"] and options:
            intent["payment_method_options"][name] |= options


def _automatic_methods(params: dict[str, Any]) -> Body | None:
    methods = params.get("automatic_payment_methods")
    if methods is None and "payment_method_types" not in params:
        methods = {"enabled": True}
    if not methods or not methods["enabled"]:
        return None
    return {"allow_redirects": methods.get("allow_redirects", "always"), "enabled": True}


def _automatic_types(params: dict[str, Any]) -> list[str]:
    """The methods that an account has switched on and the payment allows: cards and debits."""
    if params.get("capture_method") == "manual":
        return ["card"]
    return [
        "card",
        *(name for name, terms in TERMS.items() if terms.currency == params["currency"]),
    ]


def charge(intent: Body, instrument: Instrument, method_id: str, now: int) -> Body:
    """A charge of an intent, not yet decided: callers set status, outcome and money."""
    return {
        "id": new_id("ch" if instrument.method == "card" else "py"),
        "object": "charge",
        "amount": intent["amount"],
        "amount_captured": 0,
        "amount_refunded": 0,
        "application": intent["application"],
        "application_fee": None,
        "application_fee_amount": intent["application_fee_amount"],
        "balance_transaction": None,
        "billing_details": NO_BILLING_DETAILS,
        "calculated_statement_descriptor": intent["statement_descriptor"] or "SANDBOX",
        "captured": False,
        "created": now,
        "currency": intent["currency"],
        "customer": None,
        "description": intent["description"],
        "disputed": False,
        "failure_balance_transaction": None,
        "failure_code": None,
        "failure_message": None,
        "fraud_details": {},
        "livemode": False,
        "metadata": intent["metadata"],
        "on_behalf_of": None,
        "outcome": None,
        "paid": False,
        "payment_intent": intent["id"],
        "payment_method": method_id,
        "payment_method_details": {
            instrument.method: _used(instrument, intent["amount"]),
            "type": instrument.method,
        },
        "radar_options": {},
        "receipt_email": intent["receipt_email"],
        "receipt_number": None,
        "receipt_url": None,
        "refunded": False,
        "review": None,
        "shipping": None,
        "source": None,
        "source_transfer": None,
        "statement_descriptor": intent["statement_descriptor"],
        "statement_descriptor_suffix": intent["statement_descriptor_suffix"],
        "status": "pending",
        "transfer_data": None,
        "transfer_group": intent["transfer_group"],
    }


def _used(card: Instrument, amount: int) -> Body:
    if isinstance(card, Debit):
        mandate = {} if card.method == "us_bank_account" else {"mandate": new_id("mandate")}
        return shown(card) | mandate
    return {
        "amount_authorized": amount,
        "authorization_code": random_text(6).upper(),
        "brand": card.brand,
        "checks": _checks(card),
        "country": card.country,
        "exp_month": EXPIRY_MONTH,
        "exp_year": EXPIRY_YEAR,
        "extended_authorization": {"status": "disabled"},
        "fingerprint": card.fingerprint,
        "funding": card.funding,
        "incremental_authorization": {"status": "unavailable"},
        "installments": None,
        "last4": card.last4,
        "mandate": None,
        "multicapture": {"status": "unavailable"},
        "network": card.brand,
        "network_token": {"used": False},
        "network_transaction_id": random_text(15).upper(),
        "overcapture": {"maximum_amount_capturable": amount, "status": "unavailable"},
        "regulated_status": "unregulated",
        "three_d_secure": None,
        "wallet": None,
    }


def outcome(card: Instrument, decline: Decline | None) -> Body:
    """How the network and Radar answered."""
    risk = {"risk_level": card.risk_level, "risk_score": RISK_SCORES[card.risk_level]}
    if decline is None:
        return risk | {
            "advice_code": None,
            "network_advice_code": None,
            "network_decline_code": None,
            "network_status": "approved_by_network",
            "reason": "elevated_risk_level" if card.risk_level == "elevated" else None,
            "seller_message": "Payment complete.",
            "type": "manual_review" if card.risk_level == "elevated" else "authorized",
        }
    if decline.blocked:
        return risk | {
            "advice_code": None,
            "network_advice_code": None,
            "network_decline_code": None,
            "network_status": "not_sent_to_network",
            "reason": "highest_risk_level",
            "seller_message": "Stripe blocked this payment as too risky.",
            "type": "blocked",
        }
    return risk | {
        "advice_code": "try_again_later",
        "network_advice_code": None,
        "network_decline_code": "05",
        "network_status": "declined_by_network",
        "reason": decline.decline_code,
        "seller_message": "The bank did not return any further details with this decline.",
        "type": "issuer_declined",
    }
