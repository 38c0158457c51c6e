"""Commands know where they run, as processes do."""

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from deploy.cli import app

ROOT = Path(__file__).parents[2]
PLAIN = "postgresql://u:hidden@127.0.0.1:1/amply"


def run(tmp_path: Path, *arguments: str, **variables: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, [*arguments, "--data", str(tmp_path)], env=variables)
    return result.exit_code, result.output


def test_a_command_in_production_lists_what_is_refused(tmp_path: Path) -> None:
    code, text = run(
        *(tmp_path, "dead-letters", "list"),
        AMPLY_MODE="production",
        AMPLY_POSTGRES=PLAIN,
        AMPLY_STRIPE_KEY="sk_test_x",
    )
    assert code == 2
    assert "AMPLY_POSTGRES reaches the engine in clear" in text.replace("\n", " ")
    assert "AMPLY_STRIPE_KEY is a key of Stripe's test mode" in text.replace("\n", " ")
    assert "hidden" not in text


@pytest.mark.parametrize(
    ("mode", "refusal"), [("staging", "in a sandbox only"), ("somewhere", "AMPLY_MODE must be")]
)
def test_the_business_clock_is_moved_where_the_table_says(
    tmp_path: Path, mode: str, refusal: str
) -> None:
    code, text = run(tmp_path, "clock", "advance", AMPLY_MODE=mode)
    assert code == 2
    assert refusal in text


def test_up_starts_a_development_platform_only(tmp_path: Path) -> None:
    code, text = run(tmp_path, "up", "--once", AMPLY_MODE="production")
    assert code == 2
    assert "nothing of production" in text
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "told", [{"AMPLY_MODE": "staging"}, {"AMPLY_ENVIRONMENT": "live"}, {"AMPLY_MODE": "somewhere"}]
)
def test_the_stripe_sandbox_with_its_faults_runs_only_where_faults_may_be(
    tmp_path: Path, told: dict[str, str]
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "deploy.sandbox", "--port", "0", "--data", str(tmp_path / "data")],
        env={"PATH": "", "AMPLY_STRIPE_KEY": "sk_test_x", **told},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "AMPLY_MODE must allow that" in done.stderr
    assert not (tmp_path / "data").exists()
