"""What making, listing and changing resources has in common, whatever they are.

Sources: RFC 9110 (entity tags, If-Match), RFC 6585 (428), RFC 7396 (merge patch),
draft-ietf-httpapi-idempotency-key-header-07.

A resource has `object`, `id`, times and a version that each change counts up; its strong entity
tag is that version. It is made by a POST with an Idempotency-Key (`read_command`, then `claim` in
the transaction that makes it), changed by a PATCH with If-Match (`read_change`, then `changed`
under the row's lock), listed in pages (`edge/listing.py`).
"""

import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Generic, Protocol, TypeVar

from aiohttp import web
from pydantic import BaseModel, ConfigDict, create_model

from edge import idempotency, json_body
from edge.donations import store as requests
from edge.errors import ProblemError
from edge.http import json_response, read_body, refuse_query, require_json
from topics.outbox import AnyConnection

BODY_BYTES_MAX: Final = 32 * 1024
_TAGS: Final = re.compile(r'\s*(W/)?"([!#-~\x80-\xff]*)"\s*')
#: Answers about what only some may see; a cache of one reader may keep them, and asks each time.
OWN: Final = {"Cache-Control": "private, no-cache", "Vary": "Authorization"}

Model = TypeVar("Model", bound=BaseModel)


class Sender(Protocol):
    """Who asks: an API key, or a person, on behalf of an organization or of nobody else."""

    @property
    def id(self) -> str: ...
    @property
    def organization(self) -> str: ...
    @property
    def environment(self) -> str: ...


def tenant_of(sender: Sender) -> str:
    """Whose Idempotency-Keys and commands these are: a key's organization, else the person.

    Another key of the organization is the same sender, so that a key rotated between two attempts
    doubles nothing; persons never meet each other's keys.
    """
    return sender.id if sender.id.startswith("usr_") else sender.organization


# Making ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Command(Generic[Model]):
    """A POST that makes something: whose, under which key, and its parsed body."""

    tenant: str
    environment: str
    route: str
    idempotency_key: str
    fingerprint: bytes
    created_by: str
    body: Model


async def read_command(
    request: web.Request,
    model: type[Model],
    sender: Sender,
    fingerprint_key: bytes,
    bytes_max: int = BODY_BYTES_MAX,
) -> Command[Model]:
    """The command in a request, `{}` for a body that may be left out.

    ProblemError 400 for a bad Idempotency-Key or JSON, 408, 413, 415, 422.
    """
    refuse_query(request)
    key = idempotency.parse_key(request.headers.getall("Idempotency-Key", []))
    body = await _read_object(request, bytes_max)
    resource = request.match_info.route.resource
    assert resource is not None, "a route with a handler has a resource"
    return Command(
        tenant=tenant_of(sender),
        environment=sender.environment,
        route=f"{request.method} {resource.canonical}",
        idempotency_key=key,
        fingerprint=idempotency.fingerprint(
            fingerprint_key, request.method, request.path, "", body
        ),
        created_by=sender.id,
        body=json_body.validate(model, body),
    )


async def earlier(connection: AnyConnection, command: Command[Any]) -> str | None:
    """What an earlier request with this key made; ProblemError 422 when that was another request.

    For services that must answer a repetition before they look at a state that it has changed. The
    transaction's scope holds `command.tenant`, here and in `claim`.
    """
    row = await requests.find_request(connection, _key_of(command))
    if row is None:
        return None
    if not hmac.compare_digest(row["fingerprint"], command.fingerprint):
        raise ProblemError("idempotency_key_reused")
    return str(row["donation"])


async def claim(connection: AnyConnection, command: Command[Any], identifier: str) -> str | None:
    """Note that this transaction makes `identifier`; or what an earlier request made instead.

    Waits for a request with the same key that is under way. ProblemError 422 when the key belongs
    to another request. A refusal after it rolls the transaction back, and the key stays free.
    """
    row = (*_key_of(command), command.fingerprint, identifier, command.created_by, b"")
    if await requests.claim(connection, [row]):
        return None
    made = await earlier(connection, command)
    assert made is not None, "whoever held the key has committed"
    return made


def _key_of(command: Command[Any]) -> tuple[str, str, str, str]:
    return command.tenant, command.environment, command.route, command.idempotency_key


async def read_model(
    request: web.Request, model: type[Model], bytes_max: int = BODY_BYTES_MAX
) -> Model:
    """The body of a request that makes nothing, `{}` when it is left out.

    ProblemError 400, 408, 413, 415, 422.
    """
    refuse_query(request)
    return json_body.validate(model, await _read_object(request, bytes_max))


async def _read_object(request: web.Request, bytes_max: int) -> dict[str, Any]:
    raw = await read_body(request, bytes_max)
    if not raw:
        return {}
    require_json(request)
    return json_body.parse(raw)


def made(
    resource: Mapping[str, Any],
    location: str,
    *,
    version: int | None = None,
    is_replay: bool = False,
    status: int = 201,
) -> web.Response:
    """The answer to a command; a repetition gets the resource as it is now."""
    headers = {"Location": location, "Vary": "Authorization"}
    if version is not None:
        headers["ETag"] = entity_tag(version)
    if is_replay:
        headers["Idempotent-Replayed"] = "true"
    return json_response(dict(resource), status=status, headers=headers)


# Changing ----------------------------------------------------------------------------------------


def entity_tag(version: int) -> str:
    """The strong entity tag of a version (RFC 9110, section 8.8.3)."""
    return f'"{version}"'


@dataclass(frozen=True, slots=True)
class Precondition:
    """What If-Match says: any version (`tags` None), or one of these."""

    tags: frozenset[str] | None

    def require(self, version: int) -> None:
        """ProblemError 412 when the resource has another version meanwhile."""
        if self.tags is not None and entity_tag(version) not in self.tags:
            raise ProblemError("precondition_failed", headers={"ETag": entity_tag(version)})


def read_precondition(request: web.Request, *, is_required: bool = True) -> Precondition:
    """The request's If-Match; ProblemError 428 without one, 412 for tags that match nothing.

    A weak tag matches nothing, as the strong comparison has it.
    """
    values = request.headers.getall("If-Match", [])
    if not values:
        if is_required:
            raise ProblemError("precondition_required")
        return Precondition(None)
    text = ",".join(values)
    if text.strip() == "*":
        return Precondition(None)
    matches = [_TAGS.fullmatch(part) for part in text.split(",")]
    return Precondition(
        frozenset(f'"{match[2]}"' for match in matches if match is not None and not match[1])
    )


@dataclass(frozen=True, slots=True)
class Change:
    """A PATCH: what it says, and of which version."""

    precondition: Precondition
    patch: Mapping[str, Any]


async def read_change(request: web.Request, bytes_max: int = BODY_BYTES_MAX) -> Change:
    """The merge patch in a request; ProblemError 400, 408, 413, 415, 422, 428."""
    refuse_query(request)
    precondition = read_precondition(request)
    require_json(request, is_patch=True)
    return Change(precondition, json_body.parse(await read_body(request, bytes_max)))


def merge(target: Any, patch: Any) -> Any:
    """MergePatch(Target, Patch) of RFC 7396, section 2."""
    if not isinstance(patch, Mapping):
        return patch
    merged = dict(target) if isinstance(target, Mapping) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge(merged.get(name), value)
    return merged


def changed(model: type[Model], current: Model, change: Change, version: int) -> Model:
    """The settings of a resource after a change; ProblemError 412, or 422 that names the fields.

    `model` says all that can be set: a field that it lacks is refused (`extra="forbid"`), and one
    that is removed (null) gets the model's default, or is missed when it has none.
    """
    change.precondition.require(version)
    return json_body.validate(
        model, merge(current.model_dump(mode="json", exclude_none=True), change.patch)
    )


def patch_of(model: type[BaseModel]) -> type[BaseModel]:
    """The patch of a model, for OpenAPI: every field may be left out, or null to remove it."""
    fields: dict[str, Any] = {
        name: (field.rebuild_annotation() | None, None)
        for name, field in model.model_fields.items()
    }
    return create_model(
        f"{model.__name__}Patch",
        __doc__=f"A merge patch (RFC 7396) of {model.__name__}: null removes a field.",
        __config__=ConfigDict(extra="forbid", strict=True),
        **fields,
    )


def shown(request: web.Request, resource: Mapping[str, Any], version: int) -> web.Response:
    """The resource with its entity tag, or 304 when the client has this version."""
    headers = {**OWN, "ETag": entity_tag(version)}
    wanted = request.headers.get("If-None-Match", "")
    tags = {part.strip().removeprefix("W/") for part in wanted.split(",")}
    if request.method in {"GET", "HEAD"} and (wanted == "*" or headers["ETag"] in tags):
        return web.Response(status=304, headers=headers)
    return json_response(dict(resource), headers=headers)


def shown_anew(resource: Mapping[str, Any], version: int) -> web.Response:
    """The same of what changes without a new version, or with who reads it: never 304."""
    return json_response(dict(resource), headers={**OWN, "ETag": entity_tag(version)})
