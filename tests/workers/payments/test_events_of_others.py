"""Events that are not about our gifts, or not about this organization's: case C-04."""

import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from tests.workers.bench import Bench, new
from tests.workers.conftest import Sandbox
from tests.workers.payments.conftest import Scene
from workers.payments.resources import Payments
from workers.payments.worker import WORKER


def counted(reason: str) -> float:
    name = "amply_payments_ignored_events_total"
    return REGISTRY.get_sample_value(name, {"reason": reason}) or 0.0


@pytest.mark.parametrize("donation", [None, "don_of_another_shop", "42"])
async def test_other_shops_payments_are_foreign(scene: Scene, donation: str | None) -> None:
    before = counted("foreign")
    metadata = {} if donation is None else {"metadata[donation]": donation}
    intent = await scene.intent(**metadata)
    events = [scene.event("payment_intent.succeeded", intent) for _ in range(50)]
    assert await scene.settle(*events) == []
    assert await scene.ignored() == ["foreign"] * 50
    assert await scene.bench.set_aside(WORKER) == []
    assert counted("foreign") == before + 50


@pytest.mark.parametrize("claims", ["owner", "itself", "nothing"])
async def test_payment_that_names_anothers_gift_is_an_alert(
    bench: Bench, sandbox: Sandbox, payments: Payments, scene: Scene, claims: str
) -> None:
    owner = await Scene(bench, sandbox, payments).prepare()
    promised = owner.gift()
    await owner.settle(promised)
    metadata = {"metadata[donation]": promised.body.donation}
    if claims != "nothing":
        named = owner.organization if claims == "owner" else scene.organization
        metadata["metadata[organization]"] = named
    forged = scene.event("payment_intent.succeeded", await scene.intent(**metadata))
    with capture_logs() as logs:
        assert await scene.settle(forged) == []
    assert await scene.ignored() == ["account_mismatch"]
    [alert] = [line for line in logs if line["event"] == "security_alert"]
    assert (alert["alert"], alert["account"]) == ("account_mismatch", scene.account)
    # The real one still works.
    [intent] = await sandbox.intents(owner.account)
    [captured] = await owner.settle(owner.event("payment_intent.succeeded", intent["id"]))
    assert captured.body.donation == promised.body


async def test_object_that_is_not_there(scene: Scene) -> None:
    assert await scene.settle(scene.event("payment_intent.succeeded", "pi_missing")) == []
    assert await scene.settle(scene.event("charge.updated", "ch_missing")) == []
    assert await scene.ignored() == ["not_found", "not_found"]


async def test_types_of_other_workers_are_left_to_them(scene: Scene) -> None:
    assert await scene.settle(scene.event("payout.paid", "po_1")) == []
    assert await scene.ignored() == []


@pytest.mark.parametrize("together", [True, False])
async def test_second_payment_for_one_gift_is_set_aside_for_a_person(
    scene: Scene, together: bool
) -> None:
    promised = scene.gift()
    [processing] = await scene.settle(promised)
    first = scene.event("payment_intent.succeeded", processing.body.payment_intent)
    second = scene.event(
        "payment_intent.succeeded",
        await scene.intent(
            **{
                "metadata[donation]": promised.body.donation,
                "metadata[organization]": scene.organization,
            }
        ),
    )
    if together:
        captured, refused = await scene.settle(first, second)
    else:
        [captured] = await scene.settle(second)
        [refused] = await scene.settle(first)
    assert refused.body.code == "second_payment"
    assert await scene.bench.set_aside(WORKER) == [("dead", "second_payment")]
    assert (await scene.attempt(promised.body.donation))["charge"] == captured.body.charge


async def test_other_amount_than_was_asked_for_is_refused(scene: Scene) -> None:
    promised = scene.gift()
    await scene.settle(promised)
    forged = await scene.intent(
        **{
            "amount": "100",
            "metadata[donation]": promised.body.donation,
            "metadata[organization]": scene.organization,
        }
    )
    [refused] = await scene.settle(scene.event("payment_intent.succeeded", forged))
    assert refused.body.code == "amount_mismatch"
    assert await scene.bench.set_aside(WORKER) == [("dead", "amount_mismatch")]


async def test_gift_that_nobody_was_promised_yet_waits(scene: Scene) -> None:
    intent = await scene.intent(
        **{"metadata[donation]": new("don"), "metadata[organization]": scene.organization}
    )
    assert await scene.settle(scene.event("payment_intent.succeeded", intent)) == []
    assert await scene.bench.set_aside(WORKER) == [("parked", "transient")]
