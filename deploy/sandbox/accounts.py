"""Connected accounts: made, changed, rejected, deleted, and access to them taken away.

What an account may do follows from its standing (`standing.py`); it is onboarded by its owner on
the page of an account link, or by the platform where that collects the requirements.
"""

from typing import Any

from deploy.sandbox import account_bodies, external_accounts, standing
from deploy.sandbox.calls import Call
from deploy.sandbox.errors import StripeError, invalid_parameter
from deploy.sandbox.identifiers import new_id
from deploy.sandbox.metadata import merged
from deploy.sandbox.money import FEES, SETTLEMENT_CURRENCIES
from deploy.sandbox.standing import CAPABILITIES, INFORMATION, Standing
from deploy.sandbox.store import Body

_ANCHORS = ("monthly_anchor", "monthly_payout_days", "weekly_anchor", "weekly_payout_days")


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
    settlement = _currency(params.get("default_currency", settlement))
    account = account_bodies.account(new_id("acct", 16), call.now, country, settlement)
    account["controller"] = _controller(params)
    account["type"] = "none" if "controller" in params else params.get("type", "standard")
    known = Standing(missing=list(INFORMATION))
    call.store.insert(call.world.platform, account, {"connected": "true"})
    _apply(call, account, known)
    standing.write(call, account, known)
    if account["controller"]["stripe_dashboard"]["type"] == "full":
        call.emit("account.application.authorized", _application(call), account=account["id"])
    return account


def _currency(code: str) -> str:
    if code.lower() not in FEES:
        raise invalid_parameter(
            f"Invalid default currency: {code[:20]}; the sandbox settles in {', '.join(FEES)}.",
            "default_currency",
        )
    return code.lower()


def _controller(params: dict[str, Any]) -> Body:
    made = account_bodies.controller(params)
    collects = made["requirement_collection"] == "application"
    dashboard, liable = made["stripe_dashboard"]["type"], made["losses"]["payments"]
    if collects and (dashboard != "none" or liable != "application"):
        raise invalid_parameter(
            "When `controller[requirement_collection]` is `application`, "
            "`controller[stripe_dashboard][type]` must be `none` and "
            "`controller[losses][payments]` must be `application`.",
            "controller[requirement_collection]",
        )
    return made


def _apply(call: Call, account: Body, known: Standing) -> None:
    """Take over what the request says, and tick off the requirements that it meets."""
    params = call.params
    collects = account["controller"].get("requirement_collection") == "application"
    if "tos_acceptance" in params and not collects:
        raise invalid_parameter(
            "You cannot accept the Terms of Service on behalf of Standard and Express connected "
            "accounts.",
            "tos_acceptance[date]",
        )
    if "default_currency" in params:
        account["default_currency"] = _currency(params["default_currency"])
    for name in ("business_type", "email"):
        if name in params:
            account[name] = params[name]
    account["metadata"] = merged(account["metadata"], params.get("metadata"))
    for name in ("business_profile", "tos_acceptance"):
        account[name] |= params.get(name, {})
    payouts = params.get("settings", {}).get("payouts", {})
    _schedule(account["settings"]["payouts"]["schedule"], payouts.get("schedule", {}))
    account["settings"]["payouts"] |= {
        name: value for name, value in payouts.items() if name != "schedule"
    }
    for name, wanted in params.get("capabilities", {}).items():
        request_capability(call, known, name, wanted.get("requested", False))
    if "external_account" in params:
        external_accounts.attach(call, account, params["external_account"], default=True)
    known.missing = [name for name in known.missing if not _is_given(account, name, params)]
    if collects and not known.missing:
        known.submitted = True


def _schedule(current: Body, change: Body) -> None:
    """Change the payout schedule; anchors of another interval go."""
    if "interval" in change:
        for name in _ANCHORS:
            current.pop(name, None)
    if change.get("delay_days") == "minimum":
        change = change | {"delay_days": account_bodies.PAYOUT_DELAY_DAYS}
    current |= change
    if current["interval"] == "weekly":
        current.setdefault("weekly_anchor", "monday")
    elif current["interval"] == "monthly":
        current.setdefault("monthly_anchor", 1)


def _is_given(account: Body, name: str, params: dict[str, Any]) -> bool:
    head, _, tail = name.partition(".")
    if head == "external_account":
        return bool(account["external_accounts"]["data"])
    if head == "representative":
        return bool(params.get("individual", {}).get(tail)) or bool(params.get("company"))
    value = account[head]
    return bool(value.get(tail)) if tail else bool(value)


def request_capability(call: Call, known: Standing, name: str, requested: bool) -> None:
    """Ask for a capability, or give it back."""
    if name not in CAPABILITIES:
        raise invalid_parameter(f"Unknown capability: {name[:60]}.", f"capabilities[{name[:60]}]")
    if requested:
        known.requested.setdefault(name, call.now)
    else:
        known.requested.pop(name, None)


def own(call: Call) -> Body:
    """`GET /v1/account`: the account that the call is on."""
    return dict(call.store.get(call.world.platform, "account", call.account) or {})


def load(call: Call) -> Body:
    """`GET /v1/accounts/{id}`."""
    return standing.load(call, call.ids[0])


def update(call: Call) -> Body:
    """`POST /v1/accounts/{id}`."""
    account = load(call)
    return standing.change(call, account["id"], lambda body, known: _apply(call, body, known))


def reject(call: Call) -> Body:
    """`POST /v1/accounts/{id}/reject`, of accounts for whose losses the platform is liable."""
    if load(call)["controller"].get("losses") != {"payments": "application"}:
        raise StripeError(
            403,
            "You cannot reject this account: your platform is not liable for its negative "
            "balances.",
        )

    def edit(account: Body, known: Standing) -> None:
        known.rejected = call.params["reason"]

    return standing.change(call, call.ids[0], edit)


def delete(call: Call) -> Body:
    """`DELETE /v1/accounts/{id}`: test accounts always can; calls on it fail then."""
    account = load(call)
    call.emit("account.application.deauthorized", _application(call), account=account["id"])
    call.store.delete(account["id"])
    call.world.revoked.add(account["id"])
    return {"id": account["id"], "object": "account", "deleted": True}


def list_capabilities(call: Call) -> Body:
    """`GET /v1/accounts/{id}/capabilities`."""
    account = load(call)
    known = standing.read(call, account)
    data = [standing.capability(account, known, name) for name in sorted(known.requested)]
    url = f"/v1/accounts/{account['id']}/capabilities"
    return {"object": "list", "data": data, "has_more": False, "url": url}


def load_capability(call: Call) -> Body:
    """`GET /v1/accounts/{id}/capabilities/{name}`."""
    account = load(call)
    if call.ids[1] not in CAPABILITIES:
        raise StripeError(404, f"No such capability: '{call.ids[1][:60]}'", param="capability")
    return standing.capability(account, standing.read(call, account), call.ids[1])


def update_capability(call: Call) -> Body:
    """`POST /v1/accounts/{id}/capabilities/{name}`."""
    load_capability(call)
    wanted = call.params["requested"]
    standing.change(
        call,
        call.ids[0],
        lambda account, known: request_capability(call, known, call.ids[1], wanted),
    )
    return load_capability(call)


def is_revoked(call: Call, account_id: str) -> bool:
    """Say whether the platform lost access to an account."""
    return account_id in call.world.revoked


def revoke(call: Call) -> Body:
    """Take the platform's access away, as an organization does in its Dashboard (control API)."""
    account = load(call)
    call.emit("account.application.deauthorized", _application(call), account=account["id"])
    call.store.set_setting(f"revoked:{account['id']}", "true")
    call.world.revoked.add(account["id"])
    call.store.database.execute("DELETE FROM account_links WHERE account = ?", (account["id"],))
    return account


def _application(call: Call) -> Body:
    return {"id": call.world.application, "object": "application", "name": "Amply sandbox"}
