"""Account links and what their page does; what the control API says of an account's information.

A link is good for one visit within five minutes (docs.stripe.com/connect/hosted-onboarding); the
visit opens a session, in which the owner completes onboarding or comes back later.
"""

from typing import Any

from deploy.sandbox import external_accounts, standing, timers
from deploy.sandbox.calls import Call
from deploy.sandbox.errors import StripeError, invalid_parameter
from deploy.sandbox.identifiers import random_text
from deploy.sandbox.standing import Standing
from deploy.sandbox.store import Body

LINK_LIFETIME_S = 300
SESSION_LIFETIME_S = 3600
DEADLINE = "account.deadline"
LINK_PATH = "/connect/onboarding/"
ROUTING_NUMBER = "110000000"
ACCOUNT_NUMBER = "000123456789"
_SWITCHES = {"charges_enabled": "charges_off", "payouts_enabled": "payouts_off"}
CONTROLS = (
    *_SWITCHES,
    "disabled_reason",
    "currently_due",
    "current_deadline",
    "past_due",
    "pending_verification",
    "under_review",
)


def create_link(call: Call) -> Body:
    """`POST /v1/account_links`."""
    params = call.params
    account = call.store.get(call.world.platform, "account", params["account"])
    if account is None:
        raise StripeError(
            400,
            f"No such account: '{params['account'][:40]}'",
            code="resource_missing",
            param="account",
        )
    standing.load(call, account["id"])
    collects = account["controller"].get("requirement_collection") == "application"
    if params["type"] == "account_update" and not collects:
        raise invalid_parameter(
            "You cannot create `account_update` type Account Links for this account. Valid types "
            "are: `account_onboarding`.",
            "type",
        )
    token = random_text(32)
    expires_at = call.now + LINK_LIFETIME_S
    call.store.database.execute(
        "INSERT INTO account_links VALUES (?, NULL, ?, ?, ?, ?)",
        (token, account["id"], expires_at, params["return_url"], params["refresh_url"]),
    )
    return {
        "object": "account_link",
        "created": call.now,
        "expires_at": expires_at,
        "url": f"{call.world.base_url}{LINK_PATH}{token}",
    }


def visit(call: Call) -> tuple[str | None, str]:
    """Use a link: (session, account id), or (None, refresh URL) if it is used or too old."""
    row = call.store.database.execute(
        "SELECT session, account, expires_at, refresh_url FROM account_links WHERE token = ?",
        call.ids,
    ).fetchone()
    if row is None:
        raise StripeError(404, "This link does not exist.")
    used, account_id, expires_at, refresh_url = row
    if used is not None or call.now >= expires_at:
        return None, refresh_url
    session = random_text(32)
    call.store.database.execute(
        "UPDATE account_links SET session = ?, expires_at = ? WHERE token = ?",
        (session, call.now + SESSION_LIFETIME_S, call.ids[0]),
    )
    return session, account_id


def submit(call: Call) -> str:
    """End a session, onboarded or not (`call.params["complete"]`); returns where to go now."""
    row = call.store.database.execute(
        "SELECT account, expires_at, return_url, refresh_url FROM account_links WHERE session = ?",
        call.ids,
    ).fetchone()
    if row is None:
        raise StripeError(404, "This session does not exist.")
    account_id, expires_at, return_url, refresh_url = row
    if call.now >= expires_at:
        return str(refresh_url)
    call.store.database.execute(
        "UPDATE account_links SET expires_at = ? WHERE session = ?", (call.now, *call.ids)
    )
    if call.params["complete"]:
        complete(call, account_id)
    return str(return_url)


def complete(call: Call, account_id: str) -> Body:
    """Give all information that is missing, a bank account included."""
    added: list[Body] = []

    def edit(account: Body, known: Standing) -> None:
        known.missing, known.past_due, known.due, known.due_by = [], [], [], None
        known.submitted = True
        profile = account["business_profile"]
        profile["mcc"] = profile["mcc"] or "8398"
        profile["url"] = profile["url"] or "https://example.org"
        account["business_type"] = account["business_type"] or "non_profit"
        account["tos_acceptance"]["date"] = account["tos_acceptance"]["date"] or call.now
        if not account["external_accounts"]["data"]:
            added.append(external_accounts.attach(call, account, _test_bank(account)))

    account = standing.change(call, account_id, edit)
    for bank in added:
        call.emit("account.external_account.created", bank, account=account_id)
    return account


def _test_bank(account: Body) -> dict[str, Any]:
    return {
        "country": account["country"],
        "currency": account["default_currency"],
        "routing_number": ROUTING_NUMBER if account["country"] == "US" else None,
        "account_number": ACCOUNT_NUMBER,
    }


def decide(call: Call, given: dict[str, Any]) -> Body:
    """Do what the control API says (CONTROLS); `charges_enabled` true onboards, clears all else."""
    unknown = set(given) - set(CONTROLS)
    if unknown:
        raise ValueError(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(CONTROLS)}")
    enabled = given.get("charges_enabled") is True
    if enabled and not standing.load(call, call.ids[0])["details_submitted"]:
        complete(call, call.ids[0])

    def edit(account: Body, known: Standing) -> None:
        if enabled:
            known.past_due, known.due, known.verifying, known.due_by = [], [], [], None
            known.under_review, known.rejected, known.reason = False, None, None
            known.payouts_off = False
        for name, attribute in _SWITCHES.items():
            if name in given:
                setattr(known, attribute, not given[name])
        known.reason = given.get("disabled_reason", known.reason)
        known.due = list(given.get("currently_due", known.due))
        known.due_by = given.get("current_deadline", known.due_by)
        known.past_due = list(given.get("past_due", known.past_due))
        known.verifying = list(given.get("pending_verification", known.verifying))
        known.under_review = bool(given.get("under_review", known.under_review))

    account = standing.change(call, call.ids[0], edit)
    deadline = account["requirements"]["current_deadline"]
    if deadline is not None:
        timers.start_once(call, DEADLINE, account["id"], deadline)
    return account


@timers.on(DEADLINE)
def pass_deadline(call: Call) -> None:
    """What was due by now and was not given is past due: the account loses what needs it."""

    def edit(account: Body, known: Standing) -> None:
        if known.due_by is not None and known.due_by <= call.now:
            known.past_due, known.due, known.due_by = [*known.past_due, *known.due], [], None

    standing.change(call, call.ids[0], edit)
