"""Every alert asks for metrics that some process serves, and sends to a section of the runbook."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import promql_parser
import pytest
import yaml

from edge.errors import PROBLEMS
from edge.operations import OPERATIONS

ROOT: Final = Path(__file__).parents[2]
GROUPS: Final = yaml.safe_load((ROOT / "deploy" / "alerts.yaml").read_text())["groups"]
ALERTS: Final = [rule for group in GROUPS for rule in group["rules"]]
#: What Prometheus itself puts on every series.
OF_TARGETS: Final = {"job", "instance"}
SUFFIXES: Final = {
    "Counter": ("_total",),
    "Gauge": ("",),
    "Histogram": ("_bucket", "_sum", "_count"),
}


def metrics() -> Iterator[tuple[str, frozenset[str]]]:
    """The series that our processes serve, with their labels, as the code states them."""
    for folder in ("deploy", "edge", "ledger", "topics", "workers"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                    yield from series(node.func.id, node.args)


def series(kind: str, arguments: list[ast.expr]) -> Iterator[tuple[str, frozenset[str]]]:
    """Those of one declaration."""
    if kind not in SUFFIXES or not arguments or not isinstance(arguments[0], ast.Constant):
        return
    name = str(arguments[0].value).removesuffix("_total")
    labels = ast.literal_eval(arguments[2]) if len(arguments) > 2 else []
    of_buckets = {"le"} if kind == "Histogram" else set()
    for suffix in SUFFIXES[kind]:
        yield name + suffix, frozenset({*labels, *of_buckets})


METRICS: Final = {"up": frozenset[str](), **dict(metrics())}


def selectors(expression: Any) -> Iterator[Any]:
    """The selectors of series in an expression."""
    if isinstance(expression, promql_parser.VectorSelector):
        yield expression
        return
    for name in ("expr", "lhs", "rhs", "vector_selector"):
        if (part := getattr(expression, name, None)) is not None:
            yield from selectors(part)
    for part in getattr(expression, "args", None) or ():
        yield from selectors(part)


def anchors() -> set[str]:
    """The addresses of the runbook's sections, as forges make them of headings."""
    headings = re.findall(r"^## (.+)$", (ROOT / "deploy" / "RUNBOOK.md").read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


def test_each_alert_has_a_name_of_its_own() -> None:
    names = [rule["alert"] for rule in ALERTS]
    assert len(names) == len(set(names)) > 20


@pytest.mark.parametrize("rule", ALERTS, ids=[rule["alert"] for rule in ALERTS])
def test_alert_asks_for_what_is_served_and_says_what_to_do(rule: dict[str, Any]) -> None:
    assert rule["labels"] in ({"severity": "page"}, {"severity": "ticket"})
    assert set(rule["annotations"]) == {"summary", "runbook"}
    assert rule["annotations"]["runbook"] in anchors()
    asked = list(selectors(promql_parser.parse(rule["expr"])))
    assert asked
    for selector in asked:
        labels = {matcher.name: matcher.value for matcher in selector.matchers.matchers}
        assert set(labels) <= METRICS[selector.name] | OF_TARGETS
        if "outcome" in labels and selector.name == "amply_edge_requests_total":
            assert set(labels["outcome"].split("|")) <= set(PROBLEMS)
        if "route" in labels:
            assert labels["route"] in {operation.path for operation in OPERATIONS}
    named = re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"])
    kept = re.search(r"by \((\w+)\)", rule["expr"])
    assert set(named) <= ({kept[1]} if kept else set()), "the sum keeps no such label"


@pytest.mark.parametrize("metric", ["outbox_oldest_age_seconds", "relay_leading"])
def test_a_relay_that_is_gone_is_noticed_by_what_others_serve(metric: str) -> None:
    [expression] = [rule["expr"] for rule in ALERTS if metric in rule["expr"]]
    assert " or " in expression, "a process that is gone serves no metric"


def test_runbook_names_only_problems_that_there_are() -> None:
    text = (ROOT / "deploy" / "RUNBOOK.md").read_text()
    named = set(re.findall(r"(?:[Aa]nswers?(?: is)?|receipts answer) \d{3}\s+`(\w+)`", text))
    assert named and named <= set(PROBLEMS)
