"""`…/donors/{donor}/…` and `/v1/donations/{donation}/…`: donors' rights."""

import re
from collections.abc import Callable
from typing import Any, Final, TypeVar

from aiohttp import web
from pydantic import BaseModel

from edge import json_body
from edge.caller import ORGANIZATION, caller_of
from edge.errors import ProblemError
from edge.http import json_response, read_body, refuse_query, require_json
from edge.rights.models import ConsentChange, DisplayChange, ErasureRequest
from edge.rights.service import Rights

_OWN: Final = {"Cache-Control": "private, no-store", "Vary": "Authorization"}
_DONOR: Final = re.compile(r"prof_[0-7][0-9a-hjkmnp-tv-z]{25}")
_DONATION: Final = re.compile(r"don_[0-7][0-9a-hjkmnp-tv-z]{25}")
_BODY_BYTES_MAX: Final = 4096
_DONOR_PATH: Final = "/v1/organizations/{organization}/donors/{donor}"
_GIFT_PATH: Final = "/v1/donations/{donation}"

Model = TypeVar("Model", bound=BaseModel)
Row = tuple[str, str, Callable[[web.Request], Any]]


class RightsRoutes:
    """Handlers, behind the gate."""

    def __init__(self, rights: Rights) -> None:
        self._rights = rights

    def table(self) -> tuple[Row, ...]:
        """Method, path, handler."""
        return (
            ("GET", f"{_DONOR_PATH}/data", self.data),
            ("POST", f"{_DONOR_PATH}/erasure", self.erase),
            ("GET", f"{_DONOR_PATH}/erasure", self.erasure),
            ("GET", f"{_DONOR_PATH}/consents/marketing", self.consent),
            ("PUT", f"{_DONOR_PATH}/consents/marketing", self.set_consent),
            ("GET", f"{_GIFT_PATH}/consents/marketing", self.consent_of_gift),
            ("PUT", f"{_GIFT_PATH}/consents/marketing", self.set_consent_of_gift),
            ("GET", f"{_GIFT_PATH}/display", self.display),
            ("PUT", f"{_GIFT_PATH}/display", self.set_display),
        )

    async def data(self, request: web.Request) -> web.Response:
        """All that is kept of a donor."""
        refuse_query(request)
        value = await self._rights.data(request[ORGANIZATION].id, _donor(request))
        return json_response(value, headers=_OWN)

    async def erase(self, request: web.Request) -> web.Response:
        """202: the donor is forgotten within seconds."""
        refuse_query(request)
        organization, donor = request[ORGANIZATION].id, _donor(request)
        body = await _body(request, ErasureRequest)
        value = await self._rights.erase(caller_of(request), organization, donor, body)
        return json_response(value, status=202, headers={**_OWN, "Location": request.path})

    async def erasure(self, request: web.Request) -> web.Response:
        """How far that is."""
        refuse_query(request)
        value = await self._rights.erasure(request[ORGANIZATION].id, _donor(request))
        return json_response(value, headers=_OWN)

    async def consent(self, request: web.Request) -> web.Response:
        """The newest answer."""
        refuse_query(request)
        value = await self._rights.consent(request[ORGANIZATION].id, _donor(request))
        return json_response(value, headers=_OWN)

    async def set_consent(self, request: web.Request) -> web.Response:
        """Another answer."""
        refuse_query(request)
        organization, donor = request[ORGANIZATION].id, _donor(request)
        body = await _body(request, ConsentChange)
        value = await self._rights.set_consent(caller_of(request), organization, donor, body)
        return json_response(value, headers=_OWN)

    async def consent_of_gift(self, request: web.Request) -> web.Response:
        """The newest answer of a gift's donor."""
        refuse_query(request)
        value = await self._rights.consent_of_gift(caller_of(request), _donation(request))
        return json_response(value, headers=_OWN)

    async def set_consent_of_gift(self, request: web.Request) -> web.Response:
        """Another answer of a gift's donor."""
        donation, body = _donation(request), await _body(request, ConsentChange)
        value = await self._rights.set_consent_of_gift(caller_of(request), donation, body)
        return json_response(value, headers=_OWN)

    async def display(self, request: web.Request) -> web.Response:
        """How a gift's donor is shown."""
        refuse_query(request)
        value = await self._rights.display(caller_of(request), _donation(request))
        return json_response(value, headers=_OWN)

    async def set_display(self, request: web.Request) -> web.Response:
        """Show them otherwise."""
        donation, body = _donation(request), await _body(request, DisplayChange)
        value = await self._rights.set_display(caller_of(request), donation, body)
        return json_response(value, headers=_OWN)


async def _body(request: web.Request, model: type[Model]) -> Model:
    refuse_query(request)
    raw = await read_body(request, _BODY_BYTES_MAX)
    if not raw and model is ErasureRequest:
        return model()
    require_json(request)
    return json_body.validate(model, json_body.parse(raw))


def _donor(request: web.Request) -> str:
    identifier = request.match_info["donor"]
    if not _DONOR.fullmatch(identifier):
        raise ProblemError("donor_not_found")
    return identifier


def _donation(request: web.Request) -> str:
    identifier = request.match_info["donation"]
    if not _DONATION.fullmatch(identifier):
        raise ProblemError("donation_not_found")
    return identifier
