"""What operators see of payouts that wait, over all organizations."""

from prometheus_client import REGISTRY

from tests.workers.payouts.scenes import Scene
from workers.payouts import rounds


async def seen(scene: Scene) -> tuple[float, float]:
    await rounds.measure(scene.payouts)
    number = REGISTRY.get_sample_value("payouts_waiting")
    oldest_s = REGISTRY.get_sample_value("payouts_waiting_oldest_seconds")
    assert number is not None
    assert oldest_s is not None
    return number, oldest_s


async def test_payouts_that_wait_are_counted_with_the_age_of_the_oldest(scene: Scene) -> None:
    assert await seen(scene) == (0, 0)
    late = await scene.gift(2500, booked=False)
    payout = await scene.automatic()
    await scene.becomes(payout, "paid")
    await scene.event("payout.paid", payout)
    await scene.bench.fetch(
        "UPDATE payouts.payouts SET waiting_since = now() - interval '1 hour' WHERE id = $1",
        payout,
    )
    number, oldest_s = await seen(scene)
    assert number == 1
    assert oldest_s >= 3600
    await scene.book(late, scene.fund)
    await scene.look(payout)
    assert await seen(scene) == (0, 0)
