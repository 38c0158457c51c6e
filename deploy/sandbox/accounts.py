"""Connected accounts. In this sandbox onboarding takes no time: a requested capability is active.

The control API takes charges away and gives them back, and revokes the platform's access.
"""

from typing import Any

from deploy.sandbox.calls import Call
from deploy.sandbox.errors import StripeError, invalid_parameter, no_access
from deploy.sandbox.identifiers import new_id, random_text
from deploy.sandbox.money import FEES, SETTLEMENT_CURRENCIES
from deploy.sandbox.store import Body

PAYOUT_DELAY_DAYS = 2
LINK_LIFETIME_S = 300
_NO_REQUIREMENTS: Body = {
    "alternatives": [],
    "current_deadline": None,
    "currently_due": [],
    "disabled_reason": None,
    "errors": [],
    "eventually_due": [],
    "past_due": [],
    "pending_verification": [],
}
_CONTROLLERS: dict[str, Body] = {
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


def create(call: Call) -> Body:
    """`POST /v1/accounts`."""
    params = call.params
    if "type" in params and "controller" in params:
        raise invalid_parameter("You may not provide both `type` and `controller`.", "type")
    country = params.get("country", "US")
    settlement = SETTLEMENT_CURRENCIES.get(country)
    if settlement is None:
        raise invalid_parameter(
            f"Country '{country[:20]}' is unknown. The sandbox has accounts in: "
            f"{', '.join(SETTLEMENT_CURRENCIES)}.",
            "country",
        )
    settlement = params.get("default_currency", settlement).lower()
    if settlement not in FEES:
        raise invalid_parameter(
            f"Invalid default currency: {settlement[:20]}; the sandbox settles in "
            f"{', '.join(FEES)}.",
            "default_currency",
        )
    account = blank(new_id("acct", 16), call.now, country, settlement)
    account["controller"] = _controller(params)
    account["type"] = "none" if "controller" in params else params.get("type", "standard")
    _apply(account, params)
    call.store.insert(call.world.platform, account, {"connected": "true"})
    return account


def _controller(params: dict[str, Any]) -> Body:
    preset = _CONTROLLERS[params.get("type", "standard")]
    return {"is_controller": True, "type": "application", **preset, **params.get("controller", {})}


def _apply(account: Body, params: dict[str, Any]) -> None:
    for name in ("business_type", "email"):
        if name in params:
            account[name] = params[name]
    account["metadata"] = merged(account["metadata"], params.get("metadata"))
    account["business_profile"] |= params.get("business_profile", {})
    payouts = params.get("settings", {}).get("payouts", {})
    account["settings"]["payouts"]["schedule"] |= payouts.get("schedule", {})
    if "debit_negative_balances" in payouts:
        debits = payouts["debit_negative_balances"]
        account["settings"]["payouts"]["debit_negative_balances"] = debits
    for name, wanted in params.get("capabilities", {}).items():
        account["capabilities"][name] = "active" if wanted.get("requested") else "inactive"
    if account["requirements"]["disabled_reason"] is None:
        active = account["capabilities"].get("card_payments") == "active"
        account |= {"charges_enabled": active, "details_submitted": active}
        account["payouts_enabled"] = active


def merged(current: dict[str, str], change: dict[str, str] | None) -> dict[str, str]:
    """Return metadata after an update: empty values remove, an empty change removes all."""
    if change is None:
        return current
    if not change:
        return {}
    return {name: value for name, value in (current | change).items() if value}


def blank(account_id: str, now: int, country: str, settlement: str) -> Body:
    """An account without capabilities, complete as Stripe sends it."""
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
        "future_requirements": _NO_REQUIREMENTS,
        "metadata": {},
        "payouts_enabled": False,
        "requirements": dict(_NO_REQUIREMENTS),
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


def load(call: Call) -> Body:
    """Return the account that the path names; 403 if unknown or revoked, as at Stripe."""
    body = call.store.get(call.world.platform, "account", call.ids[0])
    if body is None or is_revoked(call, call.ids[0]):
        raise no_access(call.ids[0], call.key)
    return body


def own(call: Call) -> Body:
    """`GET /v1/account`: the account that the request acts for."""
    body = call.store.get(call.world.platform, "account", call.account)
    if body is None:
        raise no_access(call.account, call.key)
    return body


def update(call: Call) -> Body:
    """`POST /v1/accounts/{id}`."""
    account = load(call)
    _apply(account, call.params)
    call.store.update(account)
    call.emit("account.updated", account, account=account["id"])
    return account


def create_link(call: Call) -> Body:
    """`POST /v1/account_links`: a single-use address; onboarding itself is instant here."""
    account_id = call.params["account"]
    if call.store.get(call.world.platform, "account", account_id) is None:
        raise StripeError(
            400, f"No such account: '{account_id[:40]}'", code="resource_missing", param="account"
        )
    return {
        "object": "account_link",
        "created": call.now,
        "expires_at": call.now + LINK_LIFETIME_S,
        "url": f"{call.world.base_url}/_sandbox/onboarding/{account_id}/{random_text(16)}",
    }


def is_revoked(call: Call, account_id: str) -> bool:
    """Say whether the platform lost access to an account."""
    return call.store.setting(f"revoked:{account_id}") is not None


def switch(call: Call, changes: dict[str, Any]) -> Body:
    """Set `charges_enabled`, `payouts_enabled` or `disabled_reason` (control API)."""
    account = load(call)
    previous = {name: account[name] for name in changes if name in account}
    reason = changes.pop("disabled_reason", None)
    account |= changes
    if account["charges_enabled"]:
        account["requirements"] = dict(_NO_REQUIREMENTS)
    else:
        account["requirements"]["disabled_reason"] = reason or "requirements.past_due"
    call.store.update(account)
    call.emit("account.updated", account, account=account["id"], previous=previous)
    return account


def revoke(call: Call) -> Body:
    """Take the platform's access away, as an organization does in its Dashboard (control API)."""
    account = load(call)
    application: Body = {
        "id": call.world.application,
        "object": "application",
        "name": "Amply sandbox",
    }
    call.emit("account.application.deauthorized", application, account=account["id"])
    call.store.set_setting(f"revoked:{account['id']}", "true")
    return account
