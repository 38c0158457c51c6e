import ast
import sys
from pathlib import Path

import pytest

from contracts import environments
from deploy.sandbox.__main__ import may_run
from tests.deploy.sandbox.harness import ROOT

FOLDER = ROOT / "deploy" / "sandbox"
ALLOWED = {"aiohttp", "orjson", "structlog", "uvloop"}


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.py")), ids=lambda path: path.name)
def test_the_sandbox_imports_nothing_of_ours(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            names = [node.module or ""]
        for name in names:
            top = name.split(".")[0]
            ours = name == "deploy.sandbox" or name.startswith("deploy.sandbox.")
            assert ours or top in ALLOWED or top in sys.stdlib_module_names, name


@pytest.mark.parametrize("mode", environments.RULES)
def test_it_runs_where_the_table_of_environments_allows_faults(mode: environments.Mode) -> None:
    rules = environments.RULES[mode]
    assert may_run({"AMPLY_MODE": mode}) == rules.faults
    assert may_run({"AMPLY_ENVIRONMENT": rules.environment}) == (rules.environment == "test")
    assert may_run({})
