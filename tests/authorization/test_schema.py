"""The schema on a real SpiceDB: it answers what the validation file says, all of it is needed."""

import re
from collections.abc import Sequence

import pytest

from edge.organizations import relationships
from tests.authorization.lab import Lab, Session
from tests.authorization.schema import SCHEMA, mutants, permissions, validation, without_one

ASKED = validation()
LINES = [*ASKED.allowed, *ASKED.denied]


async def wrong_answers(session: Session, lines: Sequence[str]) -> list[str]:
    """Those of the assertions that the schema written last gets wrong."""
    allowed = set(ASKED.allowed)
    said = await session.check(lines)
    return [line for line, answer in zip(lines, said, strict=True) if answer != (line in allowed)]


async def test_every_assertion_of_the_validation_file_holds(lab: Lab) -> None:
    async with lab.open() as session:
        await session.write_schema(SCHEMA)
        await session.touch(ASKED.relationships)
        assert await wrong_answers(session, LINES) == []


async def test_no_operand_of_any_permission_can_be_left_out_unnoticed(lab: Lab) -> None:
    broken = list(mutants())
    assert len(broken) > 150
    unnoticed = []
    async with lab.open() as session:
        await session.write_schema(SCHEMA)
        await session.touch(ASKED.relationships)
        for mutant in broken:
            await session.write_schema(mutant.schema)
            near = [line for line in LINES if mutant.is_about(line)]
            if not await wrong_answers(session, near) and not await wrong_answers(session, LINES):
                unnoticed.append(mutant.name)
    assert unnoticed == []


def test_every_permission_is_asserted_both_ways() -> None:
    for definition, permission in permissions():
        mentioned = re.compile(rf"{definition}:\w+#{permission}@")
        assert [line for line in ASKED.allowed if mentioned.match(line)], permission
        if not (definition == "platform" and permission in {"superuse", "assist"}):
            assert [line for line in ASKED.denied if mentioned.match(line)], permission


def test_every_scope_has_a_relation_and_every_relation_of_a_scope_is_in_use() -> None:
    declared = set(re.findall(r"relation (scope_\w+):", SCHEMA))
    used = {relation for relation in relationships.SCOPES.values() if relation is not None}
    assert used == declared


@pytest.mark.parametrize(
    ("expression", "left"),
    [
        ("a", [""]),
        ("a + b->c", ["b->c", "a"]),
        ("(a + b) - c", ["c", "(b) - c", "(a) - c", "a + b"]),
    ],
)
def test_mutants_of_an_expression(expression: str, left: list[str]) -> None:
    remaining = [text.replace("(a + b)", "a + b") for _, text in without_one(expression)]
    assert sorted(remaining) == sorted(left)
