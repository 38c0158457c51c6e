"""The schema as text, taken apart as far as tests need it, and its validation file."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "deploy" / "spicedb"
SCHEMA = (FOLDER / "schema.zed").read_text()
_PERMISSION = re.compile(r"^\tpermission (\w+) = (.+)$", re.MULTILINE)
_RELATION = re.compile(r"^\trelation (\w+): (.+)$", re.MULTILINE)
_DEFINITION = re.compile(r"^definition (\w+) ", re.MULTILINE)
_TOKEN = re.compile(r"[()+&-](?!>)|\w+(?:->\w+)?")


@dataclass(frozen=True)
class Mutant:
    """The schema with one operand of one permission left out."""

    definition: str
    permission: str
    left_out: str
    schema: str

    @property
    def name(self) -> str:
        return f"{self.definition}#{self.permission} without {self.left_out}"

    def is_about(self, line: str) -> bool:
        """Whether the line asks for the permission itself."""
        return re.match(rf"{self.definition}:\w+#{self.permission}@", line) is not None


@dataclass(frozen=True)
class Validation:
    """Relationships and assertions, each a line as `zed validate` reads them."""

    relationships: tuple[str, ...]
    allowed: tuple[str, ...]
    denied: tuple[str, ...]


def permissions(schema: str = SCHEMA) -> list[tuple[str, str]]:
    """Every permission as (definition, name)."""
    return [(_definition_at(schema, found.start()), found[1]) for found in _found(schema)]


def relations(schema: str = SCHEMA) -> list[tuple[str, str]]:
    """Every relation as (definition, name)."""
    return [(_definition_at(schema, one.start()), one[1]) for one in _RELATION.finditer(schema)]


def mutants(schema: str = SCHEMA) -> Iterator[Mutant]:
    """Each operand of each permission left out; a permission of one operand becomes nobody's."""
    for found in _found(schema):
        definition = _definition_at(schema, found.start())
        for left_out, text in without_one(found[2]):
            mutated = schema[: found.start(2)] + (text or "nil") + schema[found.end(2) :]
            yield Mutant(definition, found[1], left_out, mutated)


def needed_for(permissions: set[str]) -> dict[str, set[str]]:
    """Permissions that decide over these of organizations: names, each with its definitions."""
    expressions = {(_definition_at(SCHEMA, one.start()), one[1]): one[2] for one in _found(SCHEMA)}
    needed: dict[str, set[str]] = {}
    waiting = [("organization", name) for name in sorted(permissions)]
    while waiting:
        definition, name = waiting.pop()
        if (definition, name) not in expressions or definition in needed.get(name, ()):
            continue
        needed.setdefault(name, set()).add(definition)
        for operand in re.findall(r"\w+(?:->\w+)?", expressions[definition, name]):
            on, arrow, of = operand.partition("->")
            waiting.append((on, of) if arrow else (definition, operand))
    return needed


def without_one(expression: str) -> Iterator[tuple[str, str]]:
    """What is left out, and what remains: "" when it was everything."""
    operands, operators = _split(_TOKEN.findall(expression))
    for place, operand in enumerate(operands):
        kept = [_spell(one) for one in operands]
        between = list(operators)
        yield _spell(operand), _join(kept, between, place)
        if len(operand) > 1:
            for left_out, text in without_one(" ".join(operand[1:-1])):
                inner = [*kept]
                inner[place] = f"({text})"
                yield left_out, _join(inner, between, None)


def _join(operands: list[str], operators: list[str], left_out: int | None) -> str:
    if left_out is not None:
        operands = operands[:left_out] + operands[left_out + 1 :]
        gone = max(left_out - 1, 0)
        operators = operators[:gone] + operators[gone + 1 :]
    words = operands[:1]
    for operator, operand in zip(operators, operands[1:], strict=True):
        words += [operator, operand]
    return " ".join(words)


def _split(tokens: list[str]) -> tuple[list[list[str]], list[str]]:
    operands: list[list[str]] = [[]]
    operators, depth = [], 0
    for token in tokens:
        if depth == 0 and token in "+&-":
            operators.append(token)
            operands.append([])
            continue
        depth += (token == "(") - (token == ")")
        operands[-1].append(token)
    assert len(set(operators)) <= 1, "write parentheses around what binds first"
    return operands, operators


def _spell(tokens: list[str]) -> str:
    return " ".join(tokens).replace("( ", "(").replace(" )", ")")


def _found(schema: str) -> list[re.Match[str]]:
    found = list(_PERMISSION.finditer(schema))
    assert len(found) == schema.count("\tpermission ")
    return found


def _definition_at(schema: str, position: int) -> str:
    return str(_DEFINITION.findall(schema[:position])[-1])


def validation() -> Validation:
    """The committed validation file; its YAML is of one simple form."""
    sections: dict[str, list[str]] = {}
    section: list[str] = []
    for line in (FOLDER / "validation.yaml").read_text().splitlines():
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        if heading := re.fullmatch(r"(\w+):( \|-)?", text):
            section = sections.setdefault(heading[1], [])
        else:
            section.append(text.removeprefix("- "))
    assert set(sections) == {"relationships", "assertions", "assertTrue", "assertFalse"}
    return Validation(
        tuple(sections["relationships"]),
        tuple(sections["assertTrue"]),
        tuple(sections["assertFalse"]),
    )
