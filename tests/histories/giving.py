"""Steps of giving: gifts of every kind, 3-D Secure, cancelling, charges that are no gifts."""

from random import Random
from typing import Any

from contracts.donations import DonationRequested
from contracts.message import BodyT, Envelope
from contracts.payments import PaymentAttemptRequested, PaymentCancelRequested
from tests.histories.play import Gift, Organization, Play, is_accepted, pick
from tests.histories.sandbox import RefusedByStripeError
from tests.histories.step import Kind, Step, Table
from tests.workers.bench import message
from topics.registry import (
    DONATIONS_REQUESTED,
    PAYMENTS_ATTEMPT_REQUESTED,
    PAYMENTS_CANCEL_REQUESTED,
)
from topics.topic import Topic

#: Payment method -> how often it is used.
METHODS = {
    "pm_card_visa": 10.0,
    "pm_card_bypassPending": 3.0,
    "pm_card_threeDSecure2Required": 2.0,
    "pm_card_refundFail": 1.0,
    "pm_card_pendingRefund": 1.0,
    "pm_card_createDispute": 0.5,
    "pm_card_createDisputeInquiry": 0.5,
    "pm_card_createMultipleDisputes": 0.5,
    "pm_card_chargeDeclined": 1.0,
    "pm_card_chargeDeclinedInsufficientFunds": 0.5,
    "on the client": 3.0,
}
#: Debits of bank accounts by their only currency: processing for a minute or days, then perhaps no.
DEBITS = {
    "EUR": (
        *("pm_success_de", "pm_successDelayed_de", "pm_failed_de", "pm_failedDelayed_de"),
        *("pm_disputed_de", "pm_insufficientFunds_de"),
    ),
    "GBP": ("pm_bacsDebit_success", "pm_bacsDebit_insufficientFunds"),
    "USD": ("pm_usBankAccount_success", "pm_usBankAccount_insufficientFunds"),
}
#: What the platform takes of gifts, in hundredths of a percent.
PLATFORM_FEES = (0, 0, 0, 150, 500)
#: Currency -> an amount (ISO minor units) that is well above Stripe's minimum, and its step.
_AMOUNTS = {
    "EUR": (1000, 1),
    "USD": (1000, 1),
    "GBP": (1000, 1),
    "CHF": (1000, 1),
    "JPY": (1500, 1),
    "SEK": (10_000, 1),
    "HUF": (400_000, 1),
    "ISK": (1500, 1),
    "KWD": (3000, 10),
}
AMOUNTS = {name: amount for name, amount in _AMOUNTS.items() if is_accepted(name)}
VISIBILITIES = ("public_full", "public_aggregated", "delayed_public", "internal_only")


async def give(play: Play, step: Step) -> str | None:
    organization = pick(step.dice, play.organizations)
    if organization is None:
        return None
    fund = pick(step.dice, organization.funds)
    assert fund is not None
    dice = step.random("gift")
    settled = organization.currency
    currency = settled if dice.random() < 0.6 else dice.choice(list(AMOUNTS))
    least, by = AMOUNTS[currency]
    amount = least + by * dice.randint(0, 9 * least // by)
    charged = amount + by * dice.randint(1, max(1, amount // 20 // by))
    covers_fee = dice.random() < 0.3
    gift = Gift(f"g{step.number}", organization, fund, play.id("don"), currency)
    body = promise(
        play,
        gift,
        amount_minor=amount,
        charge_amount_minor=charged if covers_fee else amount,
        currency=currency,
        covers_fee=covers_fee,
        payment_method=draw_method(dice, currency),
        visibility=dice.choice(VISIBILITIES),
        platform_fee_minor=amount * dice.choice(PLATFORM_FEES) // 10_000,
    )
    what = f"{body.charge_amount_minor} {currency}" + (", the fee covered," if covers_fee else "")
    fee = f", {body.platform_fee_minor} of it the platform's" if body.platform_fee_minor else ""
    means = body.payment_method or "what the donor confirms on the client"
    where = f"for fund {fund.tag} ({settled}), {body.visibility}"
    return f"gift {gift.tag}: {what} by {means} {where}{fee}"


def draw_method(dice: Random, currency: str) -> str | None:
    """A payment method that knows the currency; None: the donor confirms on the client."""
    if currency in DEBITS and dice.random() < 0.2:
        return dice.choice(DEBITS[currency])
    method = dice.choices(list(METHODS), list(METHODS.values()))[0]
    return None if method == "on the client" else method


def promise(play: Play, gift: Gift, **values: Any) -> DonationRequested:
    """Promise a gift, as the edge does when it answers 202."""
    now = play.machinery.now()
    delayed = values["visibility"] == "delayed_public"
    settled = gift.organization.currency
    body = DonationRequested(
        donation=gift.donation,
        fund=gift.fund.id,
        collected_by=play.id("key"),
        public_after=now if delayed else None,
        donor=None,
        fund_currency=None if values["currency"] == settled else settled,
        **values,
    )
    sent: Envelope[Any] = message(DONATIONS_REQUESTED, gift.organization.id, body, time=now)
    play.machinery.send(sent)
    play.gifts.append(gift)
    return body


def intents(organization: Organization, play: Play) -> list[dict[str, Any]]:
    """The payment intents of an organization's accounts, each with a tag of its gift."""
    tags = {gift.donation: gift.tag for gift in play.gifts}
    found = []
    for account in organization.accounts:
        for body in play.sandbox.objects("payment_intent", account):
            tag = tags.get(body["metadata"].get("donation", ""))
            if tag is not None:
                found.append(body | {"tag": tag, "account": account})
    return found


class Tagged(dict[str, Any]):
    """An object of Stripe's with the tag of what made it."""

    @property
    def tag(self) -> str:
        return str(self["tag"])


def in_states(play: Play, *states: str) -> list[Tagged]:
    """The intents of gifts in these states."""
    return [
        Tagged(body)
        for organization in play.organizations
        for body in intents(organization, play)
        if body["status"] in states
    ]


async def authenticate(play: Play, step: Step) -> str | None:
    intent = pick(step.dice, in_states(play, "requires_action"))
    if intent is None:
        return None
    outcome = "succeeded" if step.random("authenticate").random() < 0.7 else "failed"
    path = f"payment_intents/{intent['id']}/authentication"
    await play.sandbox.control(path, outcome=outcome)
    return f"the bank's question about gift {intent.tag} {outcome}"


async def confirm(play: Play, step: Step) -> str | None:
    """A donor confirms on the client: again, when the first card was declined."""
    intent = pick(step.dice, in_states(play, "requires_payment_method", "requires_confirmation"))
    if intent is None:
        return None
    method = draw_method(step.random("confirm"), intent["currency"].upper()) or "pm_card_visa"
    path = f"/v1/payment_intents/{intent['id']}/confirm"
    try:
        await play.sandbox.ask("POST", path, intent["account"], payment_method=method)
    except RefusedByStripeError:
        return f"the donor of gift {intent.tag} confirms with {method}, in vain"
    return f"the donor of gift {intent.tag} confirms with {method}"


async def try_again(play: Play, step: Step) -> str | None:
    """The edge is asked for another attempt at a gift that is not paid, as far as it knows."""
    gift = pick(step.dice, await unpaid(play))
    if gift is None:
        return None
    method = draw_method(step.random("again"), gift.currency)
    body = PaymentAttemptRequested(
        donation=gift.donation, payment_method=method, requested_by=play.id("key")
    )
    _command(play, gift, PAYMENTS_ATTEMPT_REQUESTED, body)
    return f"another attempt at gift {gift.tag} by {method or 'the client'}"


async def give_up(play: Play, step: Step) -> str | None:
    gift = pick(step.dice, await unpaid(play))
    if gift is None:
        return None
    body = PaymentCancelRequested(donation=gift.donation, reason="canceled")
    _command(play, gift, PAYMENTS_CANCEL_REQUESTED, body)
    return f"gift {gift.tag} is cancelled here"


async def unpaid(play: Play) -> list[Gift]:
    """The gifts that the edge knows as failed or waiting for the donor."""
    rows = await play.machinery.connection.fetch(
        "SELECT id FROM donations.donations WHERE organization = ANY ($1)"
        " AND status IN ('failed', 'requires_action')",
        play.ids(),
    )
    known = {row["id"] for row in rows}
    return [gift for gift in play.gifts if gift.donation in known]


def _command(play: Play, gift: Gift, topic: Topic[BodyT], body: BodyT) -> None:
    now = play.machinery.now()
    play.machinery.send(message(topic, gift.organization.id, body, time=now))


async def cancel(play: Play, step: Step) -> str | None:
    intent = pick(step.dice, in_states(play, "requires_action", "requires_payment_method"))
    if intent is None:
        return None
    path = f"/v1/payment_intents/{intent['id']}/cancel"
    await play.sandbox.ask("POST", path, intent["account"])
    return f"gift {intent.tag} is cancelled in Stripe's dashboard"


async def sell(play: Play, step: Step) -> str | None:
    """A charge of another shop of the organization's on the same account."""
    organization = pick(step.dice, play.organizations)
    if organization is None:
        return None
    currency = organization.currency
    intent = await play.sandbox.ask(
        "POST",
        "/v1/payment_intents",
        organization.account,
        **{
            "amount": AMOUNTS[currency][0],
            "currency": currency.lower(),
            "confirm": "true",
            "payment_method": "pm_card_visa",
            "automatic_payment_methods[enabled]": "true",
            "automatic_payment_methods[allow_redirects]": "never",
        },
    )
    play.foreign.add(intent["latest_charge"])
    return f"organization {organization.tag} sells a book on the same account"


GIVING: Table = {
    "give": Kind(30, give),
    "authenticate": Kind(5, authenticate),
    "confirm": Kind(5, confirm),
    "try again": Kind(3, try_again),
    "give up": Kind(1, give_up),
    "cancel": Kind(1, cancel),
    "sell": Kind(1.5, sell),
}
