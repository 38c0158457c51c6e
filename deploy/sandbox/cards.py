"""The test cards (docs.stripe.com/testing): what each does, by the name of its payment method."""

import hashlib
from dataclasses import dataclass
from functools import cache

from deploy.sandbox.declines import (
    BLOCKED,
    EXPIRED,
    GENERIC,
    LOST,
    NO_FUNDS,
    PROCESSING,
    STOLEN,
    TOO_OFTEN,
    WRONG_CVC,
    Decline,
)


@cache
def fingerprint_of(number: str) -> str:
    """Return a stable name of a number that does not tell it; 16 hexadecimal digits."""
    return hashlib.blake2b(number.encode(), digest_size=8).hexdigest()


@dataclass(frozen=True, slots=True)
class Disputed:
    """What its holder's bank does after a charge: `count` disputes over equal parts."""

    reason: str = "fraudulent"
    status: str = "needs_response"
    count: int = 1


@dataclass(frozen=True, slots=True)
class Card:
    """A test card.

    `authentication` says when it asks for 3-D Secure: `never`, `unsupported`, `optional` (if the
    payment wants it), `on_session` or `always`; a `decline` comes after it. `refund`: `succeeds`,
    `pending` (and succeeds later) or `fails` (after it had succeeded). `check` is the check that
    fails: `cvc_check` or the like.
    """

    number: str
    brand: str = "visa"
    country: str = "US"
    funding: str = "credit"
    decline: Decline | None = None
    authentication: str = "never"
    available_at_once: bool = False
    refund: str = "succeeds"
    dispute: Disputed | None = None
    fraud_warning: bool = False
    risk_level: str = "normal"
    check: str | None = None

    method = "card"
    answer_after_s = 0

    @property
    def last4(self) -> str:
        """The part of the number that is shown."""
        return self.number[-4:]

    @property
    def fingerprint(self) -> str:
        """The name of this number on methods and charges; 16 hexadecimal digits."""
        return fingerprint_of(self.number)


def _foreign(country: str, number: str) -> Card:
    return Card(number, country=country)


_DISPUTED = Card("4000000000000259", dispute=Disputed())

CARDS = {
    # by brand
    "pm_card_visa": Card("4242424242424242"),
    "pm_card_visa_debit": Card("4000056655665556", funding="debit"),
    "pm_card_mastercard": Card("5555555555554444", brand="mastercard"),
    "pm_card_mastercard_debit": Card("5200828282828210", brand="mastercard", funding="debit"),
    "pm_card_mastercard_prepaid": Card("5105105105105100", brand="mastercard", funding="prepaid"),
    "pm_card_amex": Card("371449635398431", brand="amex"),
    "pm_card_discover": Card("6011111111111117", brand="discover"),
    "pm_card_diners": Card("3056930009020004", brand="diners"),
    "pm_card_jcb": Card("3566002020360505", brand="jcb", country="JP"),
    "pm_card_unionpay": Card("6200000000000005", brand="unionpay", country="CN"),
    # by country
    "pm_card_at": _foreign("AT", "4000000400000008"),
    "pm_card_au": _foreign("AU", "4000000360000006"),
    "pm_card_be": _foreign("BE", "4000000560000004"),
    "pm_card_br": _foreign("BR", "4000000760000002"),
    "pm_card_ca": _foreign("CA", "4000001240000000"),
    "pm_card_ch": _foreign("CH", "4000007560000009"),
    "pm_card_cz": _foreign("CZ", "4000002030000002"),
    "pm_card_de": _foreign("DE", "4000002760000016"),
    "pm_card_dk": _foreign("DK", "4000002080000001"),
    "pm_card_es": _foreign("ES", "4000007240000007"),
    "pm_card_fi": _foreign("FI", "4000002460000001"),
    "pm_card_fr": _foreign("FR", "4000002500000003"),
    "pm_card_gb": _foreign("GB", "4000008260000000"),
    "pm_card_gr": _foreign("GR", "4000003000000030"),
    "pm_card_hu": _foreign("HU", "4000003480000005"),
    "pm_card_ie": _foreign("IE", "4000003720000005"),
    "pm_card_in": _foreign("IN", "4000003560000008"),
    "pm_card_it": _foreign("IT", "4000003800000008"),
    "pm_card_jp": _foreign("JP", "4000003920000003"),
    "pm_card_mx": _foreign("MX", "4000004840008001"),
    "pm_card_nl": _foreign("NL", "4000005280000002"),
    "pm_card_no": _foreign("NO", "4000005780000007"),
    "pm_card_nz": _foreign("NZ", "4000005540000008"),
    "pm_card_pl": _foreign("PL", "4000006160000005"),
    "pm_card_pt": _foreign("PT", "4000006200000007"),
    "pm_card_ro": _foreign("RO", "4000006420000001"),
    "pm_card_se": _foreign("SE", "4000007520000008"),
    "pm_card_sg": _foreign("SG", "4000007020000003"),
    "pm_card_us": Card("4242424242424242"),
    # declined
    "pm_card_chargeDeclined": Card("4000000000000002", decline=GENERIC),
    "pm_card_chargeDeclinedExpiredCard": Card("4000000000000069", decline=EXPIRED),
    "pm_card_chargeDeclinedIncorrectCvc": Card("4000000000000127", decline=WRONG_CVC),
    "pm_card_chargeDeclinedInsufficientFunds": Card("4000000000009995", decline=NO_FUNDS),
    "pm_card_chargeDeclinedProcessingError": Card("4000000000000119", decline=PROCESSING),
    "pm_card_visa_chargeDeclined": Card("4000000000000002", decline=GENERIC),
    "pm_card_visa_chargeDeclinedInsufficientFunds": Card("4000000000009995", decline=NO_FUNDS),
    "pm_card_visa_chargeDeclinedLostCard": Card("4000000000009987", decline=LOST),
    "pm_card_visa_chargeDeclinedStolenCard": Card("4000000000009979", decline=STOLEN),
    "pm_card_visa_chargeDeclinedVelocityLimitExceeded": Card("4000000000006975", decline=TOO_OFTEN),
    "pm_card_chargeCustomerFail": Card("4000000000000341", decline=GENERIC),
    # 3-D Secure
    "pm_card_authenticationRequired": Card(
        "4000002760003184", country="DE", authentication="always"
    ),
    "pm_card_authenticationRequiredOnSetup": Card(
        "4000002500003155", country="FR", authentication="always"
    ),
    "pm_card_authenticationRequiredSetupForOffSession": Card(
        "4000003800000446", country="IT", authentication="on_session"
    ),
    "pm_card_authenticationRequiredChargeDeclinedInsufficientFunds": Card(
        "4000008260003178", country="GB", authentication="always", decline=NO_FUNDS
    ),
    "pm_card_threeDSecure2Required": Card(
        "4000000000003220", country="IE", authentication="always"
    ),
    "pm_card_threeDSecureRequired": Card("4000000000003063", authentication="always"),
    "pm_card_threeDSecureRequiredChargeDeclined": Card(
        "4000008400001629", authentication="always", decline=GENERIC
    ),
    "pm_card_threeDSecureRequiredProcessingError": Card(
        "4000008400001280", authentication="always", decline=PROCESSING
    ),
    "pm_card_threeDSecureOptional": Card("4000000000003055", authentication="optional"),
    "pm_card_amex_threeDSecureNotSupported": Card(
        "378282246310005", brand="amex", authentication="unsupported"
    ),
    # money and refunds
    "pm_card_bypassPending": Card("4000000000000077", available_at_once=True),
    "pm_card_bypassPendingInternational": Card(
        "4000003720000278", country="IE", available_at_once=True
    ),
    "pm_card_pendingRefund": Card("4000000000007726", refund="pending"),
    "pm_card_refundFail": Card("4000000000005126", refund="fails"),
    # disputes and fraud
    "pm_card_createDispute": _DISPUTED,
    "pm_card_createDisputeProductNotReceived": Card(
        "4000000000002685", dispute=Disputed("product_not_received")
    ),
    "pm_card_createDisputeInquiry": Card(
        "4000000000001976", dispute=Disputed(status="warning_needs_response")
    ),
    "pm_card_createMultipleDisputes": Card("4000000404000079", dispute=Disputed(count=2)),
    "pm_card_createIssuerFraudRecord": Card("4000000000005423", fraud_warning=True),
    "pm_card_radarBlock": Card("4100000000000019", decline=BLOCKED, risk_level="highest"),
    "pm_card_riskLevelHighest": Card("4000000000004954", decline=BLOCKED, risk_level="highest"),
    "pm_card_riskLevelElevated": Card("4000000000009235", risk_level="elevated"),
    "pm_card_cvcCheckFail": Card("4000000000000101", check="cvc_check"),
    "pm_card_avsLineFail": Card("4000000000000028", check="address_line1_check"),
    "pm_card_avsZipFail": Card("4000000000000036", check="address_postal_code_check"),
}
