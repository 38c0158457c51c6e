"""kill -9 of accounts between Stripe's answer and the commit: one account, one answer."""

from pathlib import Path

import pytest

from tests.workers.accounts.conftest import URL, Scene
from tests.workers.accounts.test_onboarding import made
from tests.workers.dying import die


@pytest.mark.parametrize("step", ["accounts.answered", "runtime.before_commit"])
@pytest.mark.parametrize("action", ["create", "adopt"])
async def test_a_process_killed_between_call_and_commit_makes_one_account(
    scene: Scene, tmp_path: Path, master_key_file: Path, step: str, action: str
) -> None:
    settings = {
        **scene.sandbox.settings,
        "AMPLY_POSTGRES": scene.bench.role_dsn("accounts"),
        "AMPLY_MASTER_KEY": str(master_key_file),
        "AMPLY_URL": URL,
    }
    given = await scene.sandbox.account() if action == "adopt" else None
    asked = scene.asked(action, given, country=None if given else "DE")
    await die("accounts", step, scene.bench.delivery(asked), settings, tmp_path)
    assert await scene.bench.sent() == []
    assert (
        await scene.bench.fetch(
            "SELECT FROM accounts.requests WHERE request = $1", asked.body.request
        )
        == []
    )
    found = given or (await made(scene))[0]["id"]

    looks = await scene.settle(asked)
    assert await scene.answer(asked) == ("done", None, found)
    assert await scene.stages() == {found: "current"}
    assert [look.body.account for look in looks] == ([] if given else [found])
    assert len(await made(scene)) == (0 if given else 1)
    assert await scene.settle(asked, *looks) == []
    assert await scene.stages() == {found: "current"}
