"""What is checked before a payment is tried, with Stripe's refusals."""

from deploy.sandbox import balance, charging
from deploy.sandbox.calls import Call
from deploy.sandbox.debits import DEBIT_OF_IBAN
from deploy.sandbox.errors import StripeError, invalid_parameter, unexpected_state
from deploy.sandbox.store import Body


def check_methods_asked(call: Call) -> None:
    """Methods are either the account's own choice or listed, not both."""
    if "automatic_payment_methods" in call.params and "payment_method_types" in call.params:
        raise invalid_parameter(
            "You may only specify one of these parameters: automatic_payment_methods, "
            "payment_method_types.",
            None,
        )


def check_account(call: Call) -> Body:
    """Return the account, if it may charge."""
    account = balance.account_of(call, call.account)
    if not account["charges_enabled"]:
        raise StripeError(
            400,
            "This Connect account cannot currently make charges. The "
            "`requirements.disabled_reason` property on the account will provide information "
            "about why this account is currently disabled.",
        )
    return account


def check_application_fee(call: Call, amount: int) -> None:
    """Only a connected account pays one, and never more than the payment."""
    fee = call.params.get("application_fee_amount")
    if fee is None:
        return
    if not call.connected:
        raise invalid_parameter(
            "Can only apply an application_fee_amount when the PaymentIntent is attempting a "
            "direct payment (using an OAuth key or Stripe-Account header) or destination payment "
            "(using `transfer_data[destination]`).",
            "application_fee_amount",
        )
    if fee > amount:
        raise invalid_parameter(
            "Your application fee cannot be greater than the amount of the payment.",
            "application_fee_amount",
        )


def named_method(call: Call) -> Body | None:
    """Return the method that the parameters name or describe, or None.

    Bank accounts may be given by their IBAN; card numbers never reach the sandbox.
    """
    data = call.params.get("payment_method_data")
    if data is None:
        name = call.params.get("payment_method")
        return None if name is None else charging.use_payment_method(call, name)
    if data["type"] == "card" or "sepa_debit" not in data:
        raise invalid_parameter(
            "Sending credit card numbers directly to the Stripe API is generally unsafe. We "
            "suggest you use test tokens that map to the test card you are using, see "
            "https://stripe.com/docs/testing.",
            "payment_method_data",
        )
    debit = DEBIT_OF_IBAN.get(data["sepa_debit"]["iban"].replace(" ", "").upper())
    if debit is None:
        raise invalid_parameter(
            "The IBAN you entered is none of the test accounts; see "
            "https://stripe.com/docs/payments/sepa-debit.",
            "payment_method_data[sepa_debit][iban]",
            "invalid_bank_account_iban",
        )
    return charging.new_method(call, debit)


def check_return_url(call: Call, intent: Body) -> None:
    """A method that may redirect needs a place to come back to."""
    methods = intent["automatic_payment_methods"]
    if methods and methods["allow_redirects"] == "always" and "return_url" not in call.params:
        raise invalid_parameter(
            "This PaymentIntent is configured to accept payment methods enabled in your "
            "Dashboard. Because some of these payment methods might redirect your customer off "
            "of your page, you must provide a `return_url`. If you don't want to accept "
            "redirect-based payment methods, set `automatic_payment_methods[enabled]` to `true` "
            "and `automatic_payment_methods[allow_redirects]` to `never` when creating Setup "
            "Intents and Payment Intents.",
            "return_url",
        )


def method_missing(intent: Body) -> StripeError:
    """Nothing to pay with: 400."""
    return unexpected_state(
        "You cannot confirm this PaymentIntent because it's missing a payment method. You can "
        "either update the PaymentIntent with a payment method and then confirm it again, or "
        "confirm it again directly with a payment method or ConfirmationToken.",
        intent,
    )
