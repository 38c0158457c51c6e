"""What an account may do, derived from what is known of it.

`Standing` is what Stripe knows and what the control API decided; `derive` turns it into the fields
that integrators see: capabilities, requirements, `charges_enabled`, `payouts_enabled`
(docs.stripe.com/connect/handling-api-verification).
"""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import asdict, dataclass, field

import orjson

from deploy.sandbox import account_bodies, balance, timers
from deploy.sandbox.calls import Call
from deploy.sandbox.errors import no_access
from deploy.sandbox.store import Body

INFORMATION = (
    "business_profile.mcc",
    "business_profile.url",
    "business_type",
    "external_account",
    "representative.first_name",
    "representative.last_name",
    "tos_acceptance.date",
    "tos_acceptance.ip",
)
CAPABILITIES = (
    "bancontact_payments",
    "bank_transfer_payments",
    "bacs_debit_payments",
    "blik_payments",
    "card_payments",
    "eps_payments",
    "ideal_payments",
    "legacy_payments",
    "link_payments",
    "p24_payments",
    "sepa_debit_payments",
    "transfers",
    "us_bank_account_ach_payments",
)
BANK_USABLE = ("new", "validated", "verified")
_OF_PAYOUTS = {"external_accounts", "payouts_enabled", "settings"}
_SHOWN = (
    "business_profile",
    "business_type",
    "capabilities",
    "charges_enabled",
    "default_currency",
    "details_submitted",
    "email",
    "external_accounts",
    "metadata",
    "payouts_enabled",
    "requirements",
    "settings",
    "tos_acceptance",
)


@dataclass(slots=True)
class Standing:
    """`requested`: capability -> when; `missing`: what onboarding has yet to collect.

    The rest is decided by the control API. `due_by` is Unix seconds of business time.
    """

    requested: dict[str, int] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    submitted: bool = False
    due: list[str] = field(default_factory=list)
    due_by: int | None = None
    past_due: list[str] = field(default_factory=list)
    verifying: list[str] = field(default_factory=list)
    under_review: bool = False
    rejected: str | None = None
    charges_off: bool = False
    payouts_off: bool = False
    reason: str | None = None


Edit = Callable[[Body, Standing], None]


def derive(account: Body, standing: Standing) -> None:
    """Set the account's fields that follow from its standing and its bank accounts."""
    banks = account["external_accounts"]["data"]
    usable = any(bank["status"] in BANK_USABLE for bank in banks)
    past_due = [*standing.missing, *standing.past_due]
    if standing.submitted and not usable and "external_account" not in past_due:
        past_due.append("external_account")
    blocked = _blocked(standing)
    switched = standing.charges_off or standing.payouts_off
    reason = blocked
    if reason is None and switched:
        reason = standing.reason or "requirements.past_due"
    if reason is None and past_due:
        reason = "requirements.past_due"
    due = list(dict.fromkeys([*past_due, *standing.due]))
    account["requirements"] = deepcopy(account_bodies.NO_REQUIREMENTS) | {
        "current_deadline": standing.due_by if standing.due else None,
        "currently_due": due,
        "disabled_reason": reason,
        "eventually_due": due,
        "past_due": past_due,
        "pending_verification": list(standing.verifying),
    }
    status = _capability_status(standing, blocked)
    account["capabilities"] = dict.fromkeys(sorted(standing.requested), status)
    account["details_submitted"] = standing.submitted
    payments = [name for name in standing.requested if name.endswith("_payments")]
    account["charges_enabled"] = bool(payments) and status == "active"
    active = blocked is None and standing.submitted and bool(standing.requested)
    account["payouts_enabled"] = active and usable and not standing.payouts_off


def _blocked(standing: Standing) -> str | None:
    """Return why the whole account is stopped, the gravest reason first."""
    if standing.rejected:
        return f"rejected.{standing.rejected}"
    if standing.under_review:
        return "under_review"
    if [name for name in standing.missing if name != "external_account"] or standing.past_due:
        return "requirements.past_due"
    return "requirements.pending_verification" if standing.verifying else None


def _capability_status(standing: Standing, blocked: str | None) -> str:
    if blocked == "requirements.pending_verification":
        return "pending"
    return "inactive" if blocked or standing.charges_off or not standing.submitted else "active"


def read(call: Call, account: Body) -> Standing:
    """Return what is known of an account; one from before this was kept is complete."""
    text = call.store.setting(f"standing:{account['id']}")
    if text is not None:
        return Standing(**orjson.loads(text))
    requested = {name: int(account["created"]) for name in account["capabilities"]}
    return Standing(requested=requested, submitted=bool(account["details_submitted"]))


def write(call: Call, account: Body, standing: Standing) -> None:
    """Keep what is known and bring the account's fields up to it; the caller stores the account."""
    call.store.set_setting(f"standing:{account['id']}", orjson.dumps(asdict(standing)).decode())
    derive(account, standing)


def load(call: Call, account_id: str) -> Body:
    """Return a connected account; 403 if it is unknown or took its access away, as at Stripe."""
    body = call.store.get(call.world.platform, "account", account_id)
    if body is None or account_id in call.world.revoked:
        raise no_access(account_id, call.key)
    return body


def change(call: Call, account_id: str, edit: Edit) -> Body:
    """Edit an account and its standing, and tell what changed; returns the account."""
    account = balance.account_of(call, account_id)
    before = deepcopy(account)
    standing = read(call, account)
    edit(account, standing)
    write(call, account, standing)
    call.store.update(account)
    tell(call, account, before, standing)
    return account


def tell(call: Call, account: Body, before: Body, standing: Standing) -> None:
    """Send `account.updated` and `capability.updated` for what is no longer as before."""
    names = {*before["capabilities"], *account["capabilities"]}
    for name in sorted(names):
        was = before["capabilities"].get(name, "unrequested")
        if account["capabilities"].get(name, "unrequested") != was:
            body = capability(account, standing, name)
            previous = {"status": was}
            call.emit("capability.updated", body, account=account["id"], previous=previous)
    previous = {name: before[name] for name in _SHOWN if before[name] != account[name]}
    if previous:
        call.emit("account.updated", account, account=account["id"], previous=previous)
    if account["payouts_enabled"] and not _OF_PAYOUTS.isdisjoint(previous):
        # What waited for a bank account or another schedule is looked at again.
        due = balance.next_midnight(call.now)
        timers.start_once(call, balance.DAY, account["id"], due)


def capability(account: Body, standing: Standing, name: str) -> Body:
    """Return the capability object of an account."""
    status = account["capabilities"].get(name, "inactive")
    due = account["requirements"]["past_due"]
    requested_at = standing.requested.get(name)
    return account_bodies.capability(account["id"], name, status, requested_at, due)
