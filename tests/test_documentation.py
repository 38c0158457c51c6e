"""The documents stay true: tables come from the code, paths exist."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DOCUMENTS = sorted([*ROOT.glob("*.md"), ROOT / "deploy" / "RUNBOOK.md"])


def test_the_table_of_bad_messages_is_the_one_that_the_runtime_states() -> None:
    source = (ROOT / "workers" / "runtime" / "batch.py").read_text()
    docstring = ast.get_docstring(ast.parse(source))
    assert docstring is not None
    table = [line for line in docstring.splitlines() if line.startswith("|")]
    assert len(table) > 5
    assert "\n".join(table) in (ROOT / "ARCHITECTURE.md").read_text()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_paths_that_a_document_names_exist(document: Path) -> None:
    words = re.findall(r"`([a-z_]+/[A-Za-z0-9_./-]*)`", document.read_text())
    missing = [word for word in words if "…" not in word and not (ROOT / word).exists()]
    missing = [word for word in missing if not word.startswith(("logs/", "public/"))]
    assert missing == []
