"""Checks on the code itself: small modules and functions, SQL in its place, no leftovers."""

import ast
import re
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
OURS = ["contracts", "topics", "ledger", "workers", "edge", "deploy", "verifier", "tests"]
FILES = [path for name in OURS for path in sorted((ROOT / name).rglob("*.py"))]
PRODUCT = [path for path in FILES if "tests" not in path.relative_to(ROOT).parts]
FUNCTION_LINES_MAX = 60
MODULE_LINES_MAX = 300
WORKER_LINES_MAX = 150
LEFTOVERS = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X|HA" + r"CK)\b")
SQL = re.compile(
    r"\b(SELECT|INSERT INTO|UPDATE|DELETE FROM|CREATE TABLE)\b[\s\S]*\b(FROM|VALUES|SET|SELECT)\b"
)
#: Where SQL may stand besides `store` modules: the machinery of messages and of set-up.
SQL_ALLOWED = {
    "topics/inbox.py",
    "topics/outbox.py",
    "topics/relay.py",
    "topics/dead_letters.py",
    "deploy/postgres/migrate.py",
}


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_source_is_small_and_says_what_it_is(path: Path) -> None:
    source = path.read_text()
    tree = ast.parse(source)
    limit = WORKER_LINES_MAX if path.name == "worker.py" else MODULE_LINES_MAX
    assert source.count("\n") <= limit, f"{name_of(path)} has more than {limit} lines"
    assert not LEFTOVERS.search(source)
    if source and path in PRODUCT:
        assert ast.get_docstring(tree), "say in one sentence what this module is for"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            length = node.end_lineno - node.lineno + 1
            assert length <= FUNCTION_LINES_MAX, f"{node.name} has {length} lines"


@pytest.mark.parametrize("path", PRODUCT, ids=name_of)
def test_sql_stands_in_stores_and_in_the_machinery_of_messages(path: Path) -> None:
    in_store = path.stem.split("_")[0] == "store" or "store" in path.parent.parts
    if in_store or name_of(path) in SQL_ALLOWED or name_of(path).startswith("deploy/sandbox/"):
        return
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            assert not SQL.search(node.value), f"SQL outside a store: {node.value[:80]!r}"


@pytest.mark.parametrize("path", PRODUCT, ids=name_of)
def test_every_suppression_gives_its_reason(path: Path) -> None:
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if "type: ignore" in line or "# noqa" in line:
            code_and_reason = re.search(
                r"(type: ignore\[[\w, -]+\]|# noqa: [A-Z0-9, ]+)\s*(.*)", line
            )
            assert code_and_reason and len(code_and_reason.group(2)) > 10, (
                f"{name_of(path)}:{number}"
            )


@pytest.mark.parametrize("name", [name for name in OURS if name not in {"tests", "verifier"}])
def test_nobody_else_owns_our_package_names(name: str) -> None:
    assert name not in sys.stdlib_module_names
    assert set(packages_distributions().get(name, [])) <= {"amply"}


def test_no_tracked_file_names_a_package_registry_or_is_large() -> None:
    # The patterns are split so that this file does not match itself.
    hosts = re.compile(
        "|".join(
            ["py" + r"pi\.org", "python" + "hosted", "npm" + r"js\.(org|com)", "maven" + r"\.org"]
        )
    )
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True
    )
    for name in filter(None, listed.stdout.split("\0")):
        path = ROOT / name
        if not path.is_file():
            continue
        content = path.read_bytes()
        assert len(content) <= 1 << 20, f"{name} is larger than 1 MiB"
        assert not hosts.search(content.decode("utf-8", "ignore")), f"{name} names a registry"
