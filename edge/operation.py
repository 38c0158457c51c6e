"""One operation of the API, and what many of them share."""

from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel

from edge.access import Access, Public
from edge.limits.policies import Rate, rate_of

ALWAYS: Final = (
    *("https_required", "query_not_accepted", "head_too_large"),
    *("internal", "unavailable", "overloaded"),
)
#: What whoever must say who they are may be told.
WITH_KEY: Final = (
    *("unauthenticated", "key_of_other_environment", "scope_missing"),
    *("token_invalid", "session_ended", "cross_site_request", "identity_provider_unavailable"),
    *ALWAYS,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """A method on a path. `answer` is a model, or the media types of another content."""

    method: str
    path: str
    identifier: str
    summary: str
    status: int
    answer: type[BaseModel] | str | tuple[str, ...]
    problems: tuple[str, ...]
    access: Access | Public
    body: type[BaseModel] | None = None
    parameters: tuple[dict[str, Any], ...] = ()
    headers: tuple[str, ...] = ()
    #: How it is counted (`edge/limits/policies.py`), where that does not follow from its path.
    counted_as: Rate | None = None

    #: Each read is noted in the audit log, with whom or what it was about.
    reads_personal_data: bool = False

    @property
    def rate(self) -> Rate:
        """How it is counted."""
        return self.counted_as or rate_of(self.method.upper(), self.path)

    @property
    def scope(self) -> str | None:
        """What a key or a token needs; None for what is public."""
        return self.access.scope if isinstance(self.access, Access) else None

    @property
    def refusals(self) -> tuple[str, ...]:
        """Codes of all its problems: its own, and those of what it needs."""
        limited = () if self.rate == "exempt" else ("rate_limit_exceeded",)
        if not isinstance(self.access, Access):
            return tuple(dict.fromkeys([*self.problems, *limited, *ALWAYS]))
        needs = [*WITH_KEY, *limited]
        if self.access.on != "caller":
            needs += ["permissions_unavailable", "permission_denied", "organization_not_found"]
        if self.access.on in ("own", "service"):
            needs.append("organization_not_named")
        if self.access.is_for_persons:
            needs.append("permission_denied")
        if self.access.is_publishable:
            needs.append("origin_not_allowed")
        if self.access.needs_step_up:
            needs.append("step_up_needed")
        return tuple(dict.fromkeys([*self.problems, *needs]))


def parameter(
    name: str, where: str, description: str, schema: dict[str, Any], *, required: bool = False
) -> dict[str, Any]:
    """A parameter as OpenAPI describes it; one of the path is always required."""
    return {
        "name": name,
        "in": where,
        "description": description,
        "required": required or where == "path",
        "schema": schema,
    }


def choice(name: str, description: str, *values: str) -> dict[str, Any]:
    """A parameter of the query: one of the values, or any text."""
    schema: dict[str, Any] = {"type": "string"}
    if values:
        schema["enum"] = list(values)
    return parameter(name, "query", description, schema)


SLUG: Final = parameter("slug", "path", "The organization's short name.", {"type": "string"})
ORGANIZATION: Final = parameter(
    "organization", "path", "The organization's id or short name.", {"type": "string"}
)
IDEMPOTENCY_KEY: Final = parameter(
    "Idempotency-Key",
    "header",
    "Fresh for each request, the same for each repetition of it; it never expires.",
    {"type": "string", "minLength": 1, "maxLength": 255},
    required=True,
)
IF_MATCH: Final = parameter(
    "If-Match",
    "header",
    "The ETag of what you change, or `*`.",
    {"type": "string"},
    required=True,
)
IF_NONE_MATCH: Final = parameter(
    "If-None-Match", "header", "An ETag: 304 when nothing changed.", {"type": "string"}
)
PAGE: Final = (
    parameter("cursor", "query", "next_cursor of the page before.", {"type": "string"}),
    parameter(
        "limit",
        "query",
        "Rows on a page.",
        {"type": "integer", "minimum": 1, "maximum": 100, "default": 50},
    ),
)

#: Problems of a request with a body; of a POST that makes something; of a PATCH.
OF_BODY: Final = (
    "malformed_json",
    "request_timeout",
    "body_too_large",
    "unsupported_media_type",
    "invalid_body",
)
OF_COMMAND: Final = (
    "idempotency_key_missing",
    "idempotency_key_malformed",
    "idempotency_key_reused",
    "query_not_accepted",
    *OF_BODY,
)
OF_CHANGE: Final = ("precondition_required", "precondition_failed", "query_not_accepted", *OF_BODY)


@dataclass(frozen=True, slots=True)
class Resource:
    """What is made, listed, shown and changed below an organization (`edge/resources.py`).

    `problem` is that of an unknown one, `parameter` names one in the path below `path`.
    """

    path: str
    parameter: dict[str, Any]
    problem: str
    read: Access
    write: Access

    @property
    def one(self) -> str:
        """The path of one."""
        return f"{self.path}/{{{self.parameter['name']}}}"

    def listing(
        self, identifier: str, summary: str, answer: type[BaseModel], *filters: dict[str, Any]
    ) -> Operation:
        """The GET of a page."""
        return Operation(
            method="get",
            path=self.path,
            identifier=identifier,
            summary=summary,
            status=200,
            answer=answer,
            access=self.read,
            parameters=(ORGANIZATION, *PAGE, *filters),
            problems=("query_not_accepted",),
        )

    def creation(
        self,
        identifier: str,
        summary: str,
        answer: type[BaseModel],
        body: type[BaseModel],
        *problems: str,
    ) -> Operation:
        """The POST that makes one."""
        return Operation(
            method="post",
            path=self.path,
            identifier=identifier,
            summary=summary,
            status=201,
            answer=answer,
            body=body,
            access=self.write,
            parameters=(ORGANIZATION, IDEMPOTENCY_KEY),
            headers=("Location", "ETag", "Idempotent-Replayed"),
            problems=(*problems, *OF_COMMAND),
        )

    def showing(
        self, identifier: str, summary: str, answer: type[BaseModel], *headers: dict[str, Any]
    ) -> Operation:
        """The GET of one."""
        return Operation(
            method="get",
            path=self.one,
            identifier=identifier,
            summary=summary,
            status=200,
            answer=answer,
            access=self.read,
            parameters=(ORGANIZATION, self.parameter, *headers),
            headers=("ETag",),
            problems=(self.problem, "query_not_accepted"),
        )

    def changing(
        self,
        identifier: str,
        summary: str,
        answer: type[BaseModel],
        body: type[BaseModel],
        *problems: str,
    ) -> Operation:
        """The PATCH of one."""
        return Operation(
            method="patch",
            path=self.one,
            identifier=identifier,
            summary=summary,
            status=200,
            answer=answer,
            body=body,
            access=self.write,
            parameters=(ORGANIZATION, self.parameter, IF_MATCH),
            headers=("ETag",),
            problems=(self.problem, *problems, *OF_CHANGE),
        )
