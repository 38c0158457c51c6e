"""The state of an organization's Stripe account at the edge: what it stops, and how soon."""

import pytest

from contracts.stripe_events import StripeEventReceived
from tests.edge.stand import Served, Stand, gift, until
from tests.edge.test_webhooks import event, send

pytestmark = pytest.mark.asyncio

CHANGES = (
    "charges_enabled = false",
    "authorized = false",
    "stage = 'retired'",
)


@pytest.mark.parametrize("change", CHANGES)
async def test_no_gift_is_taken_from_the_moment_that_an_account_may_not_charge(
    stand: Stand, edge: Served, change: str
) -> None:
    registered = await stand.register()
    accepted = await edge.donate(gift(registered.id), registered.key.secret, "before")
    assert accepted.status == 202
    await stand.fetch(
        f"UPDATE accounts.accounts SET {change}, changed_at = clock_timestamp()"
        " WHERE organization = $1",
        registered.id,
    )

    async def refused() -> bool:
        answer = await edge.donate(gift(registered.id), registered.key.secret)
        return (answer.status, answer.status == 409 and answer.code) == (409, "account_unavailable")

    await until(refused, "the edge heard of it")
    # What was accepted before is answered as before.
    again = await edge.donate(gift(registered.id), registered.key.secret, "before")
    assert (again.status, again.body) == (202, accepted.body)


async def test_organization_that_never_had_an_account(stand: Stand, edge: Served) -> None:
    registered = await stand.register(stripe_account=None)
    answer = await edge.donate(gift(registered.id), registered.key.secret)
    assert (answer.status, answer.code) == (409, "account_unavailable")
    assert await stand.stored(registered.id) == (0, 0, 0)


async def test_late_events_of_a_retired_account_are_still_the_organizations(
    stand: Stand, edge: Served
) -> None:
    registered = await stand.register()
    await stand.connect(registered.id, "acct_of_long_ago", stage="retired")
    assert (await send(edge, event("acct_of_long_ago"))).status == 200
    [message] = await stand.messages(registered.id, "stripe.events.v1")
    told = StripeEventReceived.model_validate_json(message["value"])
    assert (told.account, told.object) == ("acct_of_long_ago", "pi_1")


@pytest.mark.parametrize(
    ("kind", "about"),
    [
        ("account.updated", "acct_about_itself"),
        ("account.application.deauthorized", "ca_1"),
        ("capability.updated", "card_payments"),
        ("account.external_account.updated", "ba_1"),
    ],
)
async def test_events_about_an_account_name_it_whatever_their_object(
    stand: Stand, edge: Served, kind: str, about: str
) -> None:
    account = f"acct_about_{kind.replace('.', '_')}"
    registered = await stand.register(stripe_account=account)
    assert (
        await send(edge, event(account, type=kind, data={"object": {"id": about}}))
    ).status == 200
    [message] = await stand.messages(registered.id, "stripe.events.v1")
    assert StripeEventReceived.model_validate_json(message["value"]).object == account
    assert bytes(message["key"]) == f"{account}/{account}".encode()
