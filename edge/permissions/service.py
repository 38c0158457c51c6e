"""Reverse queries: who may do a thing on an organization, and what the caller may do where."""

import asyncio
import base64
import binascii
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Final

from edge.caller import Caller
from edge.directory.directory import Directory
from edge.errors import ProblemError
from edge.listing import listing
from edge.permissions import decisions
from edge.permissions.models import KINDS, Holder, OwnAccess, Reason
from edge.spicedb import NEWEST, CursorError, Question, Relation, SpiceDB, UnreachableError

PLATFORM: Final = "platform:amply"
#: Where the list of somebody's own organizations begins, if they ask for no permission.
_INVOLVED: Final = "is_involved"


@dataclass(frozen=True, slots=True)
class Asked:
    """A page of a list: of those behind the one that `cursor` names, at most `limit`."""

    permission: str | None
    limit: int
    cursor: str | None


class Permissions:
    """Asks SpiceDB; ProblemError 503 while it is away."""

    def __init__(self, spicedb: SpiceDB, directory: Directory) -> None:
        self._spicedb = spicedb
        self._directory = directory

    async def holders(self, organization: str, permission: str, asked: Asked) -> dict[str, Any]:
        """Who has the permission on the organization."""
        try:
            held = await holders_of(self._spicedb, organization, permission)
        except (UnreachableError, CursorError) as error:
            raise _unavailable() from error
        subjects = list(held)
        start = _place(subjects, _subject_of(asked.cursor)) if asked.cursor is not None else 0
        shown = subjects[start : start + asked.limit]
        following = _spell(shown[-1]) if len(subjects) > start + asked.limit else None
        data = [held[subject].model_dump() for subject in shown]
        named = {"organization": organization, "permission": permission}
        return {**listing(data, following), **named}

    async def own(self, caller: Caller, asked: Asked) -> dict[str, Any]:
        """Organizations where the caller may do something, or what was asked for."""
        try:
            found, following = await self._organizations(caller, asked)
            data = await self._described(caller, found)
            platform = await self._platform(caller)
        except UnreachableError as error:
            raise _unavailable() from error
        except CursorError as error:
            raise _bad_cursor() from error
        page = listing([one.model_dump() for one in data], following)
        return {**page, "subject": caller.id, "platform": platform}

    async def _organizations(self, caller: Caller, asked: Asked) -> tuple[list[str], str | None]:
        if caller.kind != "person" and asked.permission is None:
            return [caller.organization], None  # A key belongs to one, whatever it may do there.
        after = _unspell(asked.cursor) if asked.cursor is not None else None
        found, following = await self._spicedb.resources(
            *("organization", asked.permission or _INVOLVED, caller.subject),
            *(asked.limit, after, NEWEST),
        )
        is_full = len(found) >= asked.limit and following is not None
        return found, _spell(following) if is_full and following is not None else None

    async def _described(self, caller: Caller, organizations: list[str]) -> list[OwnAccess]:
        questions = [
            Question(f"organization:{organization}", permission, caller.subject)
            for organization in organizations
            for permission in decisions.PERMISSIONS
        ]
        answers = dict(zip(questions, await self._spicedb.ask_many(questions, NEWEST), strict=True))
        data = []
        for organization in organizations:
            known = await self._directory.organization(organization)
            if known is None:
                continue  # SpiceDB was told before we were, or of one that never came to be.
            permissions: Any = [
                permission
                for permission in decisions.PERMISSIONS
                if answers[Question(f"organization:{organization}", permission, caller.subject)]
            ]
            data.append(
                OwnAccess(
                    organization=organization,
                    slug=known.slug,
                    name=known.name,
                    permissions=permissions,
                    through=await self._through(caller, organization),
                )
            )
        return data

    async def _through(self, caller: Caller, organization: str) -> list[Reason]:
        held = self._spicedb.relations("organization", organization, NEWEST, caller.subject)
        return decisions.reasons(await _all(held)).get(caller.subject, [])

    async def _platform(self, caller: Caller) -> list[str]:
        questions = [Question(PLATFORM, name, caller.subject) for name in decisions.OF_PLATFORM]
        answers = await self._spicedb.ask_many(questions, NEWEST)
        return [
            question.permission
            for question, allowed in zip(questions, answers, strict=True)
            if allowed
        ]


async def holders_of(spicedb: SpiceDB, organization: str, permission: str) -> dict[str, Holder]:
    """Everybody who has the permission on the organization by the newest data, in order."""
    resource = f"organization:{organization}"
    kinds = (spicedb.subjects(resource, permission, kind, NEWEST) for kind in KINDS)
    found, tree = await asyncio.gather(
        asyncio.gather(*kinds), spicedb.tree(resource, permission, NEWEST)
    )
    subjects = decisions.in_order([subject for some in found for subject in some])
    return {one: decisions.holder(one, tree) for one in subjects}


async def _all(relations: AsyncIterator[Relation]) -> list[Relation]:
    return [one async for one in relations]


def _place(subjects: list[str], last: str) -> int:
    """Where to go on behind a subject that may be gone by now."""
    for place, subject in enumerate(subjects):
        if decisions.in_order([last, subject])[0] != subject:
            return place
    return len(subjects)


def _subject_of(cursor: str) -> str:
    subject = _unspell(cursor)
    if subject.partition(":")[0] not in KINDS:
        raise _bad_cursor()
    return subject


def _spell(place: str) -> str:
    return base64.urlsafe_b64encode(place.encode()).decode().rstrip("=")


def _unspell(cursor: str) -> str:
    try:
        place = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
    except (binascii.Error, ValueError) as error:
        raise _bad_cursor() from error
    if not place or not place.isprintable():
        raise _bad_cursor()
    return place


def _bad_cursor() -> ProblemError:
    return ProblemError(
        "query_not_accepted", "`cursor` must be the next_cursor of a page.", param="cursor"
    )


def _unavailable() -> ProblemError:
    return ProblemError("permissions_unavailable", headers={"Retry-After": "2"})
