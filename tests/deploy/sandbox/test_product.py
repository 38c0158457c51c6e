"""The sandbox on its own: `amply sandbox serve`, its clock by command, ids by seed."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import stripe
import typer

from deploy.cli.sandbox import _seconds
from deploy.sandbox import readme
from tests.deploy.sandbox.harness import API_VERSION, ROOT, Sandbox, Shop, free_port

AMPLY = (sys.executable, "-c", "from deploy.cli import main; main()", "sandbox")
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "AMPLY_STRIPE_KEY"}


def amply(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*AMPLY, *arguments], cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, timeout=60
    )


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A served sandbox: its directory and what it printed."""
    data = tmp_path / "alone"
    process = subprocess.Popen(
        [*AMPLY, "serve", "--port", "0", "--data", str(data), "--seed", "5"],
        cwd=ROOT,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    printed = ""
    for line in process.stdout:
        printed += line
        if line.startswith("Serving"):
            break
    yield data, printed
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=20) == 0
    assert not (data / "sandbox.json").exists()


async def test_serve_prints_what_a_stranger_needs_and_its_clock_obeys(
    served: tuple[Path, str],
) -> None:
    data, printed = served
    url = re.findall(r"http://127\.0\.0\.1:\d+", printed)[0]
    key = re.findall(r"Key: (\S+)", printed)[0]
    client = stripe.StripeClient(key, base_addresses={"api": url}, stripe_version=API_VERSION)
    account = client.v1.accounts.create({"country": "DE"})
    for name in ("sandbox.json", "key"):
        assert (data / name).stat().st_mode & 0o077 == 0
    moved = amply("clock", "advance", "1d12h", "--data", str(data))
    assert (moved.returncode, moved.stdout) == (0, "The sandbox's clock is 129600 s ahead\n")
    later = client.v1.accounts.create({"country": "DE"})
    assert later.created is not None
    assert account.created is not None
    assert later.created - account.created >= 129_600
    assert amply("clock", "advance", "soon", "--data", str(data)).returncode == 2


def test_a_story_is_told_as_text_and_for_programs_the_same_for_a_seed(
    served: tuple[Path, str],
) -> None:
    data = str(served[0])
    first = amply("trigger", "negative-balance", "--seed", "3", "--data", data)
    assert first.returncode == 0, first.stderr
    assert first.stdout.startswith("negative-balance, seed 3: ")
    assert "nothing can be paid out" in first.stdout
    assert (
        amply("trigger", "negative-balance", "--seed", "3", "--data", data).stdout == first.stdout
    )
    told = json.loads(amply("trigger", "donation", "--json", "--data", data).stdout)
    assert [entry["kind"] for entry in told["entries"]] == ["donation", "payout"]
    assert told["balances"]["Assets:Bank"]["EUR"] > 0
    unknown = amply("trigger", "miracle", "--data", data)
    assert unknown.returncode == 2
    assert "negative-balance" in unknown.stderr


def test_advance_says_where_no_sandbox_runs(tmp_path: Path) -> None:
    answer = amply("clock", "advance", "3d", "--data", str(tmp_path))
    assert answer.returncode == 2
    assert "no sandbox runs" in answer.stderr


@pytest.mark.parametrize(
    ("text", "seconds"), [("3d", 259_200), ("12h", 43_200), ("1w1d", 691_200), ("90m5s", 5405)]
)
def test_durations(text: str, seconds: int) -> None:
    assert _seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "3", "d", "-3d", "3 d", "1.5h"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(typer.Exit):
        _seconds(text)


async def test_the_same_seed_gives_the_same_ids_and_a_restart_gives_new_ones(
    tmp_path: Path,
) -> None:
    async def play(sandbox: Sandbox, polls: int) -> list[Any]:
        shop = Shop(sandbox)
        await shop.open_account()
        for _ in range(polls):
            await shop.api.balance.retrieve_async(None, shop.on_account())
        endpoint = await shop.endpoint("http://127.0.0.1:9/", "*")
        intent = await shop.give()
        await shop.close()
        return [shop.account, endpoint.id, endpoint.secret, intent.id, intent.latest_charge]

    seen = []
    for name, polls in (("a", 0), ("b", 3)):
        sandbox = Sandbox(tmp_path / name, "--seed", "7")
        sandbox.start()
        seen.append(await play(sandbox, polls))
        sandbox.stop()
    assert seen[0] == seen[1]
    sandbox.start()
    again = await play(sandbox, 0)
    sandbox.stop()
    assert not set(again) & set(seen[1])


def blocks(language: str) -> list[str]:
    text = (ROOT / "deploy" / "sandbox" / "README.md").read_text()
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def test_the_readme_says_how_to_start_pay_and_be_paid_out(tmp_path: Path) -> None:
    [serve, advance], [pay], [curl] = blocks("sh"), blocks("python"), blocks("bash")
    port = str(free_port())
    folder = str(Path(sys.executable).parent)
    environment = ENVIRONMENT | {"PATH": f"{folder}:{os.environ['PATH']}"}
    process = subprocess.Popen(
        ["bash", "-c", f"exec {serve.replace('8421', port)}"],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert any(line.startswith("Serving") for line in process.stdout)
    payouts = "print([each.status for each in client.v1.payouts.list({}, on_account).data])"
    move = f"import subprocess; subprocess.run({advance!r}, shell=True, check=True)"
    script = "\n".join([pay.replace("8421", port), payouts, move, payouts])
    try:
        done = subprocess.run(
            [sys.executable, "-c", script],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        printed = done.stdout.splitlines()
        assert [printed[0], printed[-1]] == ["succeeded", "['paid']"]
        by_curl = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", curl.replace("8421", port)],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert json.loads(by_curl.stdout)["status"] == "succeeded", by_curl.stderr
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=20)


def test_the_readme_has_the_tables_of_the_code() -> None:
    text = readme.README.read_text()
    assert text == readme.current(text), "make generate"
