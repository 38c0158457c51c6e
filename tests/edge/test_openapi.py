import re
from pathlib import Path

from edge import openapi
from edge.errors import BY_STATUS, PROBLEMS
from edge.operations import OPERATIONS

EDGE = Path(openapi.__file__).parent
CODE = re.compile(r"ProblemError\(\s*\"([a-z_]+)\"")


def test_the_committed_document_is_current() -> None:
    assert openapi.COMMITTED.read_bytes() == openapi.render(), "run `python -m edge.openapi`"


def test_every_problem_is_raised_somewhere_and_every_raised_one_is_in_the_table() -> None:
    source = "\n".join(path.read_text() for path in EDGE.rglob("*.py"))
    raised = set(CODE.findall(source)) | set(BY_STATUS.values())
    raised |= {"internal"}  # What any unforeseen error becomes.
    assert raised == set(PROBLEMS)


def test_every_operation_names_problems_of_the_table_and_resolves() -> None:
    document = openapi.document()
    schemas = document["components"]["schemas"]
    for reference in re.findall(rb'"#/components/schemas/(\w+)"', openapi.render()):
        assert reference.decode() in schemas
    for operation in OPERATIONS:
        responses = document["paths"][operation.path][operation.method]["responses"]
        assert {str(PROBLEMS[code].status) for code in operation.problems} <= set(responses)
    assert document["openapi"] == "3.1.0"


def test_a_gift_is_described_as_strictly_as_it_is_read() -> None:
    schema = openapi.document()["components"]["schemas"]["DonationRequest"]
    assert schema["additionalProperties"] is False
    assert schema["properties"]["amount_minor"]["maximum"] == 10**12
    assert set(schema["required"]) == {"organization", "amount_minor", "currency"}
