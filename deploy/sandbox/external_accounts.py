"""Bank accounts that payouts go to, one default per currency.

Source: docs.stripe.com/connect/payouts-bank-accounts.
The test numbers whose payouts fail are Stripe's (docs.stripe.com/connect/testing). Only the last
four digits of a number are shown; what its payouts meet with is kept apart.
"""

from typing import Any

from deploy.sandbox import account_bodies, balance, standing
from deploy.sandbox.calls import Call
from deploy.sandbox.errors import StripeError, invalid_parameter, no_such
from deploy.sandbox.identifiers import new_id
from deploy.sandbox.metadata import merged
from deploy.sandbox.money import FEES, check_currency
from deploy.sandbox.store import Body

FAILURES = {
    "account_closed": "The bank account has been closed.",
    "could_not_process": "The bank could not process this payout.",
    "debit_not_authorized": "Debit transactions are not approved on your bank account.",
    "insufficient_funds": "Your Stripe account has insufficient funds to cover the payout.",
    "invalid_account_number": "The account number is invalid.",
    "invalid_currency": "The bank was unable to process this payout because of its currency.",
    "no_account": "The bank account details on file are probably incorrect. No bank account could "
    "be located with those details.",
}
# The end of a test number -> the failure of payouts to it.
_FAILURE_BY_END = {
    "111111116": "no_account",
    "111111113": "account_closed",
    "222222227": "insufficient_funds",
    "333333335": "debit_not_authorized",
    "444444440": "invalid_currency",
    "532013001": "no_account",
    "532013002": "account_closed",
    "532013003": "insufficient_funds",
    "532013004": "debit_not_authorized",
    "532013005": "invalid_currency",
}


def list_banks(call: Call) -> Body:
    """`GET /v1/accounts/{id}/external_accounts`, all on one page."""
    account = standing.load(call, call.ids[0])
    return dict(account["external_accounts"])


def load(call: Call) -> Body:
    """`GET /v1/accounts/{id}/external_accounts/{id}`."""
    return find(standing.load(call, call.ids[0]), call.ids[1])


def find(account: Body, bank_id: str) -> Body:
    """Return a bank account of an account; raises StripeError (404)."""
    for bank in account["external_accounts"]["data"]:
        if bank["id"] == bank_id:
            return dict(bank)
    raise no_such("external account", bank_id, "id")


def default_of(account: Body, currency: str) -> Body | None:
    """Return the bank account that payouts in a currency go to, or None."""
    for bank in account["external_accounts"]["data"]:
        if bank["currency"] == currency and bank["default_for_currency"]:
            return dict(bank)
    return None


def create(call: Call) -> Body:
    """`POST /v1/accounts/{id}/external_accounts`."""
    check_permitted(call, standing.load(call, call.ids[0]))
    given = call.params["external_account"] | {"metadata": call.params.get("metadata", {})}
    return add(call, call.ids[0], given, default=call.params.get("default_for_currency", False))


def check_permitted(call: Call, account: Body) -> None:
    """Refuse what only the account's owner does where Stripe collects the requirements."""
    if account["controller"].get("requirement_collection") == "application":
        return
    raise StripeError(
        403,
        "This application does not have the required permissions for this endpoint on account "
        f"'{account['id']}'.",
        stored=False,
    )


def add(call: Call, account_id: str, given: dict[str, Any], *, default: bool = False) -> Body:
    """Add a bank account and tell of it; the first of a currency is its default."""
    made: list[Body] = []
    standing.change(
        call, account_id, lambda account, known: made.append(attach(call, account, given, default))
    )
    call.emit("account.external_account.created", made[0], account=account_id)
    return made[0]


def attach(call: Call, account: Body, given: dict[str, Any], default: bool = False) -> Body:
    """Put a bank account on an account that is being edited."""
    currency = check_currency(given["currency"])
    if currency not in FEES:
        raise invalid_parameter(
            f"The sandbox settles in {', '.join(FEES)}, not in {currency}.",
            "external_account[currency]",
        )
    bank = account_bodies.bank_account(new_id("ba"), account["id"], given)
    failure = _FAILURE_BY_END.get(given["account_number"][-9:])
    if failure is not None:
        call.store.set_setting(f"bank_failure:{bank['id']}", failure)
    banks = account["external_accounts"]["data"]
    banks.append(bank)
    if default or default_of(account, currency) is None:
        make_default(account, bank["id"])
    return bank


def make_default(account: Body, bank_id: str) -> None:
    """Let payouts in a bank account's currency go to it."""
    currency = find(account, bank_id)["currency"]
    for bank in account["external_accounts"]["data"]:
        if bank["currency"] == currency:
            bank["default_for_currency"] = bank["id"] == bank_id


def update(call: Call) -> Body:
    """`POST /v1/accounts/{id}/external_accounts/{id}`: metadata, holder, default."""
    params = call.params

    def edit(account: Body, known: standing.Standing) -> None:
        if params.get("default_for_currency"):
            make_default(account, call.ids[1])
        for bank in account["external_accounts"]["data"]:
            if bank["id"] == call.ids[1]:
                bank["metadata"] = merged(bank["metadata"], params.get("metadata"))
                for name in ("account_holder_name", "account_holder_type"):
                    bank[name] = params.get(name, bank[name])

    find(standing.load(call, call.ids[0]), call.ids[1])
    return _told(call, standing.change(call, call.ids[0], edit), call.ids[1])


def set_status(call: Call, account_id: str, bank_id: str, status: str) -> Body:
    """Say what became of a bank account's verification, or of a payout to it."""

    def edit(account: Body, known: standing.Standing) -> None:
        for bank in account["external_accounts"]["data"]:
            if bank["id"] == bank_id:
                bank["status"] = status

    find(balance.account_of(call, account_id), bank_id)
    return _told(call, standing.change(call, account_id, edit), bank_id)


def _told(call: Call, account: Body, bank_id: str) -> Body:
    bank = find(account, bank_id)
    call.emit("account.external_account.updated", bank, account=account["id"])
    return bank


def delete(call: Call) -> Body:
    """`DELETE /v1/accounts/{id}/external_accounts/{id}`; not the default while others pay to it."""
    account = standing.load(call, call.ids[0])
    check_permitted(call, account)
    gone = find(account, call.ids[1])
    if gone["default_for_currency"]:
        raise StripeError(
            400,
            "You cannot delete the default external account for your default currency. Please "
            "make another external account the default using the `default_for_currency` param, "
            "and then delete this one.",
        )

    def edit(account: Body, known: standing.Standing) -> None:
        banks = account["external_accounts"]["data"]
        banks[:] = [bank for bank in banks if bank["id"] != gone["id"]]

    standing.change(call, call.ids[0], edit)
    call.emit("account.external_account.deleted", gone, account=call.ids[0])
    return {"id": gone["id"], "object": "bank_account", "deleted": True}
