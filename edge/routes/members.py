"""`/v1/organizations/{organization}/members`, `/invitations`, and the platform's staff."""

import re
from typing import Final

from aiohttp import web

from edge.caller import ORGANIZATION, caller_of
from edge.errors import ProblemError
from edge.http import SUBJECTS, json_response, refuse_query
from edge.listing import listing, read_page
from edge.members.decisions import RANKS
from edge.members.invitations import Invitations
from edge.members.models import Acceptance, Invitation, StaffRole
from edge.members.service import Members
from edge.members.staff import Staff
from edge.resources import (
    OWN,
    made,
    read_change,
    read_command,
    read_model,
    read_precondition,
    shown,
    shown_anew,
)

PERSON: Final = re.compile(r"usr_[0-7][0-9a-hjkmnp-tv-z]{25}")
_INVITATION: Final = re.compile(r"inv_[0-7][0-9a-hjkmnp-tv-z]{25}")
_STATUSES: Final = {"open", "expired", "accepted", "revoked"}


class MemberRoutes:
    """Handlers."""

    def __init__(
        self, members: Members, invitations: Invitations, staff: Staff, fingerprint_key: bytes
    ) -> None:
        self._members = members
        self._invitations = invitations
        self._staff = staff
        self._fingerprint_key = fingerprint_key

    async def list(self, request: web.Request) -> web.Response:
        """A page of members."""
        page = read_page(request, {"role": set(RANKS)})
        return json_response(await self._members.page(caller_of(request), page), headers=OWN)

    async def show(self, request: web.Request) -> web.Response:
        """One member. Whether the name is shown depends on who reads."""
        refuse_query(request)
        one = await self._members.show(caller_of(request), _person_in(request))
        return shown_anew(one.resource, one.version)

    async def change(self, request: web.Request) -> web.Response:
        """Another role."""
        change = await read_change(request)
        one = await self._members.change(caller_of(request), _person_in(request), change)
        return shown(request, one.resource, one.version)

    async def remove(self, request: web.Request) -> web.Response:
        """No role any more."""
        refuse_query(request)
        precondition = read_precondition(request, is_required=False)
        await self._members.remove(caller_of(request), _person_in(request), precondition)
        return web.Response(status=204)

    async def leave(self, request: web.Request) -> web.Response:
        """No role of one's own any more."""
        refuse_query(request)
        await self._members.leave(caller_of(request))
        return web.Response(status=204)

    async def invite(self, request: web.Request) -> web.Response:
        """201 with the invitation; the mail follows."""
        caller = caller_of(request)
        command = await read_command(request, Invitation, caller, self._fingerprint_key)
        resource, is_replay = await self._invitations.invite(caller, command)
        request[SUBJECTS] = {"invitation": resource["id"]}
        place = f"/v1/organizations/{caller.organization}/invitations"
        return made(resource, place, is_replay=is_replay)

    async def invitations(self, request: web.Request) -> web.Response:
        """A page of invitations."""
        page = read_page(request, {"status": _STATUSES})
        return json_response(
            await self._invitations.page(request[ORGANIZATION].id, page), headers=OWN
        )

    async def revoke_invitation(self, request: web.Request) -> web.Response:
        """An invitation opens nothing any more."""
        refuse_query(request)
        identifier = request.match_info["invitation"]
        if not _INVITATION.fullmatch(identifier):
            raise ProblemError("invitation_not_found")
        await self._invitations.revoke(request[ORGANIZATION].id, identifier)
        return web.Response(status=204)

    async def accept(self, request: web.Request) -> web.Response:
        """Become a member."""
        body = await read_model(request, Acceptance)
        resource, version = await self._invitations.accept(caller_of(request).id, body.token)
        request[SUBJECTS] = {"organization": resource["organization"]}
        return shown(request, resource, version)

    async def staff(self, request: web.Request) -> web.Response:
        """The platform's people."""
        refuse_query(request)
        return json_response(listing(await self._staff.all(), None), headers=OWN)

    async def set_staff(self, request: web.Request) -> web.Response:
        """A role at the platform."""
        body = await read_model(request, StaffRole)
        person = _person_in(request)
        resource = await self._staff.set_role(person, body.role, caller_of(request).id)
        return json_response(resource, headers=OWN)

    async def remove_staff(self, request: web.Request) -> web.Response:
        """No role at the platform any more."""
        refuse_query(request)
        await self._staff.set_role(_person_in(request), None, caller_of(request).id)
        return web.Response(status=204)


def _person_in(request: web.Request) -> str:
    person = request.match_info["member"]
    if not PERSON.fullmatch(person):
        raise ProblemError("member_not_found")
    return person
