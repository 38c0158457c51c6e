"""The test bank accounts (docs.stripe.com/payments/sepa-debit, bacs-debit, ach-direct-debit).

A debit is `processing` until its bank has answered. The plain names answer a minute later on the
business clock, those with `Delayed` after five days; a `decline` is the bank's later no.
"""

from dataclasses import dataclass

from deploy.sandbox.cards import Disputed, fingerprint_of
from deploy.sandbox.declines import Decline

SOON_S = 60
DAYS_S = 5 * 86_400


@dataclass(frozen=True, slots=True)
class Terms:
    """What one kind of debit costs, in its only currency's smallest unit."""

    currency: str
    basis_points: int
    fixed: int
    fee_max: int
    dispute_fee: int


TERMS = {
    "bacs_debit": Terms("gbp", 100, 20, 400, 2000),
    "sepa_debit": Terms("eur", 0, 35, 35, 750),
    "us_bank_account": Terms("usd", 80, 0, 500, 1500),
}


@dataclass(frozen=True, slots=True)
class Debit:
    """A test bank account; `number` is its IBAN or account number, `bank` its routing or sort code.

    Fields with a card's names mean the same.
    """

    method: str
    number: str
    country: str
    bank: str = ""
    answer_after_s: int = SOON_S
    decline: Decline | None = None
    dispute: Disputed | None = None

    authentication = "never"
    available_at_once = False
    refund = "succeeds"
    fraud_warning = False
    risk_level = "normal"

    @property
    def last4(self) -> str:
        """The part of the number that is shown."""
        return self.number[-4:]

    @property
    def fingerprint(self) -> str:
        """The name of this account on methods and charges; 16 hexadecimal digits."""
        return fingerprint_of(f"{self.bank}{self.number}")


def _declined(code: str, message: str) -> Decline:
    return Decline(code, code, message)


FAILED = _declined("debit_declined", "The bank declined this debit.")
NO_FUNDS = _declined("insufficient_funds", "The customer's account has insufficient funds.")
CLOSED = _declined("account_closed", "The customer's bank account has been closed.")
NO_ACCOUNT = _declined("no_account", "The customer's bank account could not be located.")
NOT_AUTHORIZED = _declined("debit_not_authorized", "The customer has not authorized this debit.")
TOO_MUCH = _declined(
    "charge_exceeds_source_limit", "This payment exceeds the weekly limit of this bank account."
)
TOO_OFTEN = _declined(
    "charge_exceeds_weekly_limit", "This payment exceeds the number of payments of this account."
)
# Stripe: a SEPA dispute cannot be answered; it is lost when it comes.
_RETURNED = Disputed("customer_initiated", "lost")


def _sepa(country: str, **numbers: str) -> dict[str, Debit]:
    """The five accounts that Stripe documents for every country."""
    number, late = numbers.get, DAYS_S
    found = {
        "success": Debit("sepa_debit", number("success", ""), country),
        "successDelayed": Debit("sepa_debit", number("delayed", ""), country, answer_after_s=late),
        "failed": Debit("sepa_debit", number("failed", ""), country, decline=FAILED),
        "failedDelayed": Debit(
            "sepa_debit", number("failed_late", ""), country, answer_after_s=late, decline=FAILED
        ),
        "disputed": Debit("sepa_debit", number("disputed", ""), country, dispute=_RETURNED),
    }
    return {f"pm_{name}_{country.lower()}": debit for name, debit in found.items()}


def _of(method: str, country: str, bank: str, number: str, decline: Decline | None = None) -> Debit:
    return Debit(method, number, country, bank, decline=decline)


_SORT, _ROUTING = "108800", "110000000"
DEBITS = {
    **_sepa(
        "DE",
        success="DE89370400440532013000",
        delayed="DE08370400440532013003",
        failed="DE62370400440532013001",
        failed_late="DE78370400440532013004",
        disputed="DE35370400440532013002",
    ),
    **_sepa(
        "AT",
        success="AT611904300234573201",
        delayed="AT321904300235473204",
        failed="AT861904300235473202",
        failed_late="AT051904300235473205",
        disputed="AT591904300235473203",
    ),
    **_sepa(
        "FR",
        success="FR1420041010050500013M02606",
        delayed="FR3020041010050500013M02609",
        failed="FR8420041010050500013M02607",
        failed_late="FR7920041010050500013M02600",
        disputed="FR5720041010050500013M02608",
    ),
    **_sepa(
        "NL",
        success="NL39RABO0300065264",
        delayed="NL55RABO0300065268",
        failed="NL91RABO0300065266",
        failed_late="NL46RABO0300065269",
        disputed="NL69RABO0300065267",
    ),
    "pm_exceedsWeeklyVolumeLimit_de": Debit(
        "sepa_debit", "DE65370400440000343434", "DE", decline=TOO_MUCH
    ),
    "pm_exceedsWeeklyTransactionLimit_de": Debit(
        "sepa_debit", "DE27370400440000121212", "DE", decline=TOO_OFTEN
    ),
    "pm_insufficientFunds_de": Debit(
        "sepa_debit", "DE65370400440002222227", "DE", decline=NO_FUNDS
    ),
    "pm_usBankAccount_success": _of("us_bank_account", "US", _ROUTING, "000123456789"),
    "pm_usBankAccount_accountClosed": _of(
        "us_bank_account", "US", _ROUTING, "000111111113", CLOSED
    ),
    "pm_usBankAccount_noAccount": _of(
        "us_bank_account", "US", _ROUTING, "000111111116", NO_ACCOUNT
    ),
    "pm_usBankAccount_insufficientFunds": _of(
        "us_bank_account", "US", _ROUTING, "000222222227", NO_FUNDS
    ),
    "pm_usBankAccount_debitNotAuthorized": _of(
        "us_bank_account", "US", _ROUTING, "000333333335", NOT_AUTHORIZED
    ),
    "pm_bacsDebit_success": _of("bacs_debit", "GB", _SORT, "00012345"),
    "pm_bacsDebit_insufficientFunds": _of("bacs_debit", "GB", _SORT, "22222227", NO_FUNDS),
    "pm_bacsDebit_debitNotAuthorized": _of("bacs_debit", "GB", _SORT, "33333335", NOT_AUTHORIZED),
}
DEBIT_OF_IBAN = {debit.number: debit for debit in DEBITS.values() if debit.method == "sepa_debit"}


def shown(debit: Debit) -> dict[str, object]:
    """Return the part of a payment method's body that its charges show too."""
    common: dict[str, object] = {"fingerprint": debit.fingerprint, "last4": debit.last4}
    if debit.method == "bacs_debit":
        return common | {"sort_code": debit.bank}
    if debit.method == "us_bank_account":
        return common | {
            "account_holder_type": "individual",
            "account_type": "checking",
            "bank_name": "STRIPE TEST BANK",
            "routing_number": debit.bank,
        }
    return common | {"bank_code": debit.number[4:12], "branch_code": "", "country": debit.country}
