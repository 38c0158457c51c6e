"""Who bears which fee of a refunded gift, to the cent."""

import pytest

from tests.workers.payments.conftest import Scene
from tests.workers.payments.paying_back import paid


@pytest.mark.parametrize("by_dashboard", [False, True])
async def test_the_platforms_fee_comes_back_with_a_refund_that_is_asked_for_here(
    scene: Scene, by_dashboard: bool
) -> None:
    gift = await paid(scene, platform_fee_minor=300)
    assert gift.balances()["Expenses:PlatformFees"] == 300
    processors_fee = gift.balances()["Expenses:ProcessorFees"]
    if by_dashboard:  # Whoever refunds there decides otherwise.
        found = await gift.in_dashboard(amount=5000)
        await gift.settle(scene.event("refund.created", found))
        assert gift.balances()["Expenses:PlatformFees"] == 300
    else:
        await gift.settle(gift.request(5000))
        assert gift.balances()["Expenses:PlatformFees"] == 150
    await gift.assert_agrees()
    await gift.settle(gift.request())
    assert gift.balances()["Expenses:ProcessorFees"] == processors_fee, "the organization bears it"
    assert gift.balances().get("Income:Donations", 0) == 0
    await gift.assert_agrees()


async def test_stripes_fee_for_a_refund_is_the_organizations(scene: Scene) -> None:
    gift = await paid(scene)
    before = gift.balances()["Expenses:ProcessorFees"]
    found = await gift.in_dashboard(fee=40)
    await gift.settle(scene.event("refund.created", found))
    assert gift.balances()["Expenses:ProcessorFees"] == before + 40
    await gift.assert_agrees()
