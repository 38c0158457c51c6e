"""The library's errors keep their gRPC codes on the way through the gateway."""

import grpc
import pytest

from deploy.embedded.spicedb_gateway import status_of
from deploy.embedded.spicedb_library import LibraryError


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        (
            "rpc error: code = NotFound desc = no schema",
            grpc.StatusCode.NOT_FOUND,
            "no schema",
        ),
        (
            "rpc error: code = FailedPrecondition desc = relation `a` = desc = b",
            grpc.StatusCode.FAILED_PRECONDITION,
            "relation `a` = desc = b",
        ),
        ("invalid handle", grpc.StatusCode.INTERNAL, "invalid handle"),
        ("code = Nonsense", grpc.StatusCode.INTERNAL, "code = Nonsense"),
    ],
)
def test_status(text: str, code: grpc.StatusCode, message: str) -> None:
    assert status_of(LibraryError(text)) == (code, message)
