"""The JSON bodies of accounts and bank accounts, complete as Stripe sends them."""

from copy import deepcopy
from typing import Any

from deploy.sandbox.store import Body

PAYOUT_DELAY_DAYS = 2
NO_REQUIREMENTS: Body = {
    "alternatives": [],
    "current_deadline": None,
    "currently_due": [],
    "disabled_reason": None,
    "errors": [],
    "eventually_due": [],
    "past_due": [],
    "pending_verification": [],
}
_NOTHING_DUE: Body = {"currently_due": [], "errors": [], "past_due": [], "pending_verification": []}
CONTROLLERS: dict[str, Body] = {
    "standard": {
        "fees": {"payer": "account"},
        "losses": {"payments": "stripe"},
        "requirement_collection": "stripe",
        "stripe_dashboard": {"type": "full"},
    },
    "express": {
        "fees": {"payer": "application_express"},
        "losses": {"payments": "application"},
        "requirement_collection": "stripe",
        "stripe_dashboard": {"type": "express"},
    },
    "custom": {
        "fees": {"payer": "application_custom"},
        "losses": {"payments": "application"},
        "requirement_collection": "application",
        "stripe_dashboard": {"type": "none"},
    },
}


def controller(params: dict[str, Any]) -> Body:
    """Who pays fees, bears losses, collects requirements and sees which dashboard."""
    preset = CONTROLLERS[params.get("type", "standard")]
    return {"is_controller": True, "type": "application", **preset, **params.get("controller", {})}


def account(account_id: str, now: int, country: str, settlement: str) -> Body:
    """An account without capabilities, bank accounts and information."""
    address = dict.fromkeys(("city", "country", "line1", "line2", "postal_code", "state"))
    return {
        "id": account_id,
        "object": "account",
        "business_profile": {
            "annual_revenue": None,
            "estimated_worker_count": None,
            "mcc": None,
            "minority_owned_business_designation": None,
            "name": None,
            "product_description": None,
            "support_address": address,
            "support_email": None,
            "support_phone": None,
            "support_url": None,
            "url": None,
        },
        "business_type": None,
        "capabilities": {},
        "charges_enabled": False,
        "controller": {"type": "account"},
        "country": country,
        "created": now,
        "default_currency": settlement,
        "details_submitted": False,
        "email": None,
        "external_accounts": {
            "data": [],
            "has_more": False,
            "object": "list",
            "url": f"/v1/accounts/{account_id}/external_accounts",
        },
        "future_requirements": deepcopy(NO_REQUIREMENTS),
        "metadata": {},
        "payouts_enabled": False,
        "requirements": deepcopy(NO_REQUIREMENTS),
        "settings": _settings(),
        "tos_acceptance": {"date": None, "ip": None, "user_agent": None},
        "type": "standard",
    }


def _settings() -> Body:
    statement = dict.fromkeys(("statement_descriptor", "statement_descriptor_kana"))
    prefix = dict.fromkeys(
        ("statement_descriptor_prefix_kana", "statement_descriptor_prefix_kanji")
    )
    return {
        "bacs_debit_payments": {"display_name": None, "service_user_number": None},
        "branding": dict.fromkeys(("icon", "logo", "primary_color", "secondary_color")),
        "card_issuing": {"tos_acceptance": {"date": None, "ip": None}},
        "card_payments": {
            "decline_on": {"avs_failure": False, "cvc_failure": False},
            "statement_descriptor_prefix": None,
            **prefix,
        },
        "dashboard": {"display_name": None, "timezone": "Etc/UTC"},
        "invoices": {"default_account_tax_ids": None, "hosted_payment_method_save": None},
        "payments": {**statement, "statement_descriptor_kanji": None},
        "payouts": {
            "debit_negative_balances": True,
            "schedule": {"delay_days": PAYOUT_DELAY_DAYS, "interval": "daily"},
            "statement_descriptor": None,
        },
        "sepa_debit_payments": {},
    }


def bank_account(bank_id: str, account_id: str, given: dict[str, Any]) -> Body:
    """A bank account on an account; `given` are the checked parameters."""
    return {
        "id": bank_id,
        "object": "bank_account",
        "account": account_id,
        "account_holder_name": given.get("account_holder_name"),
        "account_holder_type": given.get("account_holder_type"),
        "account_type": None,
        "available_payout_methods": ["standard"],
        "bank_name": "STRIPE TEST BANK",
        "country": given["country"].upper(),
        "currency": given["currency"].lower(),
        "default_for_currency": False,
        "fingerprint": f"Sandbox{given['account_number'][-8:]}",
        "future_requirements": deepcopy(_NOTHING_DUE),
        "last4": given["account_number"][-4:],
        "metadata": given.get("metadata", {}),
        "requirements": deepcopy(_NOTHING_DUE),
        "routing_number": given.get("routing_number"),
        "status": "new",
    }


def capability(
    account_id: str, name: str, status: str, requested_at: int | None, due: list[str]
) -> Body:
    """A capability and what stands in its way."""
    reason = "requirements.fields_needed" if due and status != "active" else None
    missing = [] if status == "active" else due
    requirements = deepcopy(NO_REQUIREMENTS) | {
        "currently_due": missing,
        "eventually_due": missing,
        "past_due": missing,
        "disabled_reason": reason,
    }
    return {
        "id": name,
        "object": "capability",
        "account": account_id,
        "future_requirements": deepcopy(NO_REQUIREMENTS),
        "requested": requested_at is not None,
        "requested_at": requested_at,
        "requirements": requirements,
        "status": "unrequested" if requested_at is None else status,
    }
