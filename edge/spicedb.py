"""The client of SpiceDB: checks one by one and in bulk, who may do a thing, what somebody may do.

Resources and subjects are written `kind:id`. Every call has a deadline; `UnreachableError` says
that nobody knows the answer.
"""

from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal

import grpc
from authzed.api.v1 import (
    AlgebraicSubjectSet,
    AsyncClient,
    CheckBulkPermissionsRequest,
    CheckBulkPermissionsRequestItem,
    CheckPermissionRequest,
    CheckPermissionResponse,
    Consistency,
    Cursor,
    ExpandPermissionTreeRequest,
    LookupResourcesRequest,
    LookupSubjectsRequest,
    ObjectReference,
    ReadRelationshipsRequest,
    RelationshipFilter,
    SubjectFilter,
    SubjectReference,
    ZedToken,
)
from authzed.api.v1.permission_service_pb2 import LOOKUP_PERMISSIONSHIP_HAS_PERMISSION

from topics.connections.spicedb import credentials

DEADLINE_S: Final = 2.0
#: What lists may take: they walk many relationships.
LIST_DEADLINE_S: Final = 5.0
_BULK_MAX: Final = 500
_FOUND: Final = LOOKUP_PERMISSIONSHIP_HAS_PERMISSION
_OPERATIONS: Final[dict[int, Literal["union", "intersection", "exclusion"]]] = {
    AlgebraicSubjectSet.OPERATION_UNION: "union",
    AlgebraicSubjectSet.OPERATION_INTERSECTION: "intersection",
    AlgebraicSubjectSet.OPERATION_EXCLUSION: "exclusion",
}
_HAS: Final = CheckPermissionResponse.PERMISSIONSHIP_HAS_PERMISSION


@dataclass(frozen=True, slots=True)
class Question:
    """May `subject` (`api_key:key_…`) do `permission` on `resource` (`organization:org_…`)?"""

    resource: str
    permission: str
    subject: str


@dataclass(frozen=True, slots=True)
class Relation:
    """A relationship that SpiceDB holds; with a caveat it `is_conditional`."""

    resource: str
    relation: str
    subject: str
    expires_at: datetime | None = None
    is_conditional: bool = False

    @property
    def names(self) -> tuple[str, str, str]:
        """What tells it from others: there is one of these names, whatever end it has."""
        return self.resource, self.relation, self.subject

    def __str__(self) -> str:
        return f"{self.resource}#{self.relation}@{self.subject}"


@dataclass(frozen=True, slots=True)
class AsOf:
    """How new the data must be: at least as new as a ZedToken, the newest there is, or neither."""

    token: str | None = None
    is_newest: bool = False


@dataclass(frozen=True, slots=True)
class Leaf:
    """Who has one relation with one resource; `kind:*` stands for everybody of the kind."""

    resource: str
    relation: str
    subjects: frozenset[str]


@dataclass(frozen=True, slots=True)
class Branch:
    """What permissions are made of. Of an exclusion the first one counts, without the others."""

    operation: Literal["union", "intersection", "exclusion"]
    children: tuple["Leaf | Branch", ...]


Tree = Leaf | Branch
NEWEST: Final = AsOf(is_newest=True)
ANY: Final = AsOf()


class UnreachableError(Exception):
    """SpiceDB gave no answer in time."""


class CursorError(ValueError):
    """SpiceDB knows no such place in a list."""


class SpiceDB:
    """The client of one SpiceDB. Make it in the running loop."""

    def __init__(self, address: str, token: str) -> None:
        self._client: Any = AsyncClient(*credentials(address, token))

    async def ask(self, question: Question, as_of: AsOf = ANY) -> bool:
        """One check."""
        request = CheckPermissionRequest(
            resource=_object(question.resource),
            permission=question.permission,
            subject=_subject(question.subject),
            consistency=_consistency(as_of),
        )
        response = await _answer(self._client.CheckPermission(request, timeout=DEADLINE_S))
        return bool(response.permissionship == _HAS)

    async def ask_many(self, questions: Sequence[Question], as_of: AsOf = ANY) -> list[bool]:
        """Many checks, answered in their order."""
        answers: list[bool] = []
        for start in range(0, len(questions), _BULK_MAX):
            items = [
                CheckBulkPermissionsRequestItem(
                    resource=_object(question.resource),
                    permission=question.permission,
                    subject=_subject(question.subject),
                )
                for question in questions[start : start + _BULK_MAX]
            ]
            request = CheckBulkPermissionsRequest(consistency=_consistency(as_of), items=items)
            response = await _answer(
                self._client.CheckBulkPermissions(request, timeout=LIST_DEADLINE_S)
            )
            for pair in response.pairs:
                if pair.HasField("error"):
                    raise UnreachableError(f"a check of many failed: {pair.error.code}")
                answers.append(pair.item.permissionship == _HAS)
        return answers

    async def tree(self, resource: str, permission: str, as_of: AsOf = ANY) -> Tree:
        """How a permission on a resource comes about, down to the relations."""
        request = ExpandPermissionTreeRequest(
            resource=_object(resource), permission=permission, consistency=_consistency(as_of)
        )
        answer = await _answer(self._client.ExpandPermissionTree(request, timeout=LIST_DEADLINE_S))
        return _tree(answer.tree_root)

    async def subjects(
        self, resource: str, permission: str, kind: str, as_of: AsOf = ANY
    ) -> list[str]:
        """Who of a kind may do it, as `kind:id`; `kind:*` for everybody of the kind."""
        request = LookupSubjectsRequest(
            resource=_object(resource),
            permission=permission,
            subject_object_type=kind,
            consistency=_consistency(as_of),
        )
        async with _listing():
            return [
                f"{kind}:{found.subject.subject_object_id}"
                async for found in self._client.LookupSubjects(request, timeout=LIST_DEADLINE_S)
            ]

    async def resources(
        self, kind: str, permission: str, subject: str, limit: int, cursor: str | None, as_of: AsOf
    ) -> tuple[list[str], str | None]:
        """Ids of what the subject may do it on, `limit` at most, and where to go on."""
        request = LookupResourcesRequest(
            resource_object_type=kind,
            permission=permission,
            subject=_subject(subject),
            consistency=_consistency(as_of),
            optional_limit=limit,
            optional_cursor=Cursor(token=cursor) if cursor is not None else None,
        )
        found, following = [], None
        async with _listing():
            async for one in self._client.LookupResources(request, timeout=LIST_DEADLINE_S):
                if one.permissionship == _FOUND:
                    found.append(str(one.resource_object_id))
                following = str(one.after_result_cursor.token)
        return found, following

    async def relations(
        self,
        kind: str,
        identifier: str | None = None,
        as_of: AsOf = ANY,
        subject: str | None = None,
    ) -> AsyncIterator[Relation]:
        """What it holds about one resource, or about all of a kind, whatever conditions it has.

        With `subject`, only what it holds of that one.
        """
        of_subject = None
        if subject is not None:
            subject_kind, _, subject_id = subject.partition(":")
            of_subject = SubjectFilter(subject_type=subject_kind, optional_subject_id=subject_id)
        request = ReadRelationshipsRequest(
            consistency=_consistency(as_of),
            relationship_filter=RelationshipFilter(
                resource_type=kind,
                optional_resource_id=identifier or "",
                optional_subject_filter=of_subject,
            ),
        )
        # All of a kind may be many: no deadline but the one of whoever reads.
        timeout = LIST_DEADLINE_S if identifier is not None else None
        async with _listing():
            async for one in self._client.ReadRelationships(request, timeout=timeout):
                yield _relation(one.relationship)


async def _answer(call: Awaitable[Any]) -> Any:
    try:
        return await call
    except grpc.RpcError as error:
        raise UnreachableError(str(error.code())) from error


@asynccontextmanager
async def _listing() -> AsyncIterator[None]:
    try:
        yield
    except grpc.RpcError as error:
        if error.code() is grpc.StatusCode.INVALID_ARGUMENT:
            raise CursorError from error
        raise UnreachableError(str(error.code())) from error


def _relation(held: Any) -> Relation:
    has_end = held.HasField("optional_expires_at")
    return Relation(
        f"{held.resource.object_type}:{held.resource.object_id}",
        held.relation,
        f"{held.subject.object.object_type}:{held.subject.object.object_id}",
        held.optional_expires_at.ToDatetime(UTC) if has_end else None,
        held.HasField("optional_caveat"),
    )


def _tree(node: Any) -> Tree:
    if node.WhichOneof("tree_type") == "leaf":
        resource, held = node.expanded_object, node.leaf.subjects
        return Leaf(
            f"{resource.object_type}:{resource.object_id}",
            node.expanded_relation,
            frozenset(f"{one.object.object_type}:{one.object.object_id}" for one in held),
        )
    children = tuple(_tree(child) for child in node.intermediate.children)
    return Branch(_OPERATIONS[node.intermediate.operation], children)


def _consistency(as_of: AsOf) -> Any:
    if as_of.is_newest:
        return Consistency(fully_consistent=True)
    if as_of.token is not None:
        return Consistency(at_least_as_fresh=ZedToken(token=as_of.token))
    return Consistency(minimize_latency=True)


def _subject(text: str) -> Any:
    return SubjectReference(object=_object(text))


def _object(text: str) -> Any:
    kind, _, identifier = text.partition(":")
    return ObjectReference(object_type=kind, object_id=identifier)
