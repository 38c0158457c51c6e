"""The control API's part for accounts: onboarding, requirements, bank accounts, access."""

from typing import TYPE_CHECKING, Any

from deploy.sandbox import accounts, external_accounts, onboarding
from deploy.sandbox.store import Body

if TYPE_CHECKING:
    from deploy.sandbox.control import Control

Given = dict[str, Any]
BANK_STATUSES = ("errored", "new", "validated", "verification_failed", "verified")


async def _onboard(control: "Control", ids: tuple[str, ...], given: Given) -> Body:
    return await control.engine.run(
        control.call_on(ids[0]), lambda call: onboarding.complete(call, ids[0])
    )


async def _decide(control: "Control", ids: tuple[str, ...], given: Given) -> Body:
    return await control.engine.run(
        control.call_on(ids[0]), lambda call: onboarding.decide(call, given)
    )


async def _deauthorize(control: "Control", ids: tuple[str, ...], given: Given) -> Body:
    return await control.engine.run(control.call_on(ids[0]), accounts.revoke)


async def _add_bank(control: "Control", ids: tuple[str, ...], given: Given) -> Body:
    default = bool(given.pop("default_for_currency", False))
    given.setdefault("account_number", onboarding.ACCOUNT_NUMBER)
    return await control.engine.run(
        control.call_on(ids[0]),
        lambda call: external_accounts.add(call, ids[0], given, default=default),
    )


async def _set_bank(control: "Control", ids: tuple[str, ...], given: Given) -> Body:
    status = given["status"]
    if status not in BANK_STATUSES:
        raise ValueError(f"status must be one of {', '.join(BANK_STATUSES)}")
    return await control.engine.run(
        control.call_on(ids[0]),
        lambda call: external_accounts.set_status(call, ids[0], ids[1], status),
    )


ACTIONS = {
    ("POST", "/_sandbox/accounts/{}"): _decide,
    ("POST", "/_sandbox/accounts/{}/onboard"): _onboard,
    ("POST", "/_sandbox/accounts/{}/deauthorize"): _deauthorize,
    ("POST", "/_sandbox/accounts/{}/external_accounts"): _add_bank,
    ("POST", "/_sandbox/accounts/{}/external_accounts/{}"): _set_bank,
}
