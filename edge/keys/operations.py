"""What the API offers of API keys, of organizations and of collectors."""

from typing import Any, Final

from edge.access import Access
from edge.keys.models import ApiKeyPage, ApiKeyRequest, ApiKeyShown, Rotation
from edge.operation import (
    IDEMPOTENCY_KEY,
    IF_NONE_MATCH,
    OF_COMMAND,
    ORGANIZATION,
    PAGE,
    Operation,
    choice,
    parameter,
)

_KEY: Final = parameter("key", "path", "The key's `key_…` id.", {"type": "string"})
_COLLECTOR: Final = parameter("collector", "path", "Its `col_…` id.", {"type": "string"})
_HOLDERS: Final[tuple[tuple[str, str, dict[str, Any], dict[str, Any], tuple[str, ...]], ...]] = (
    (
        "",
        "/v1/organizations/{organization}/api-keys",
        ORGANIZATION,
        {"permission": "manage_api_keys"},
        (),
    ),
    (
        "Collector",
        "/v1/collectors/{collector}/api-keys",
        _COLLECTOR,
        {"on": "caller"},
        ("collector_not_found", "permissions_unavailable"),
    ),
)


def _reading(
    name: str,
    path: str,
    holder: dict[str, Any],
    needs: dict[str, Any],
    more: tuple[str, ...],
) -> tuple[Operation, ...]:
    read = Access(scope="api_keys:read", is_for_persons=True, **needs)
    return (
        Operation(
            method="get",
            path=path,
            identifier=f"list{name}ApiKeys",
            summary="Keys, newest first, without their secrets.",
            status=200,
            answer=ApiKeyPage,
            access=read,
            parameters=(
                holder,
                choice("kind", "Of this kind.", "secret", "publishable"),
                *PAGE,
            ),
            problems=("query_not_accepted", *more),
        ),
        Operation(
            method="get",
            path=f"{path}/{{key}}",
            identifier=f"show{name}ApiKey",
            summary="A key without its secret.",
            status=200,
            answer=ApiKeyShown,
            access=read,
            parameters=(holder, _KEY, IF_NONE_MATCH),
            headers=("ETag",),
            problems=("key_not_found", "query_not_accepted", *more),
        ),
    )


def _writing(
    name: str,
    path: str,
    holder: dict[str, Any],
    needs: dict[str, Any],
    more: tuple[str, ...],
) -> tuple[Operation, ...]:
    write = Access(
        scope="api_keys:write", is_fresh=True, needs_step_up=True, is_for_persons=True, **needs
    )
    made: dict[str, Any] = {
        "answer": ApiKeyShown,
        "headers": ("ETag", "Location", "Idempotent-Replayed"),
        "access": write,
    }
    return (
        Operation(
            method="post",
            path=path,
            identifier=f"create{name}ApiKey",
            summary="Make a key. Its secret is in this answer alone.",
            status=201,
            body=ApiKeyRequest,
            parameters=(holder, IDEMPOTENCY_KEY),
            problems=(
                *("scope_unknown", "fund_unknown", "time_over", "too_many_keys"),
                *OF_COMMAND,
                *more,
            ),
            **made,
        ),
        Operation(
            method="post",
            path=f"{path}/{{key}}/rotate",
            identifier=f"rotate{name}ApiKey",
            summary="Give it another secret; the one before serves on for some hours.",
            status=201,
            body=Rotation,
            parameters=(holder, _KEY, IDEMPOTENCY_KEY),
            problems=("key_not_found", "key_revoked", *OF_COMMAND, *more),
            **made,
        ),
        Operation(
            method="delete",
            path=f"{path}/{{key}}",
            identifier=f"revoke{name}ApiKey",
            summary="Let it open nothing any more, at once.",
            status=204,
            answer=(),
            access=write,
            parameters=(holder, _KEY),
            problems=("key_not_found", "precondition_failed", "query_not_accepted", *more),
        ),
    )


KEYS: Final = tuple(
    operation for holder in _HOLDERS for operation in (*_reading(*holder), *_writing(*holder))
)
