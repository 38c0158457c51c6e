"""Organizations, their people, keys and collectors: which handler answers where."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import web

from edge.routes.collectors import CollectorRoutes
from edge.routes.erasures import ErasureRoutes
from edge.routes.keys import KeyRoutes
from edge.routes.members import MemberRoutes
from edge.routes.organizations import OrganizationRoutes

_ONE: Final = "/v1/organizations/{organization}"
_STAFF: Final = "/v1/staff"

Row = tuple[str, str, Callable[[web.Request], Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Administration:
    """Handlers by subject."""

    organizations: OrganizationRoutes
    members: MemberRoutes
    keys: KeyRoutes
    collectors: CollectorRoutes
    erasures: ErasureRoutes

    def table(self) -> tuple[Row, ...]:
        """Method, path, handler."""
        return (
            *_of_organizations(self.organizations),
            *_of_members(self.members),
            *_of_keys(self.keys, f"{_ONE}/api-keys"),
            *_of_keys(self.keys, "/v1/collectors/{collector}/api-keys"),
            *_of_collectors(self.collectors),
            ("GET", f"{_STAFF}/erasures", self.erasures.list),
            ("POST", f"{_STAFF}/erasures", self.erasures.ask),
            ("POST", f"{_STAFF}/erasures/{{erasure}}/approve", self.erasures.approve),
            ("POST", f"{_STAFF}/erasures/{{erasure}}/refuse", self.erasures.refuse),
        )


def _of_organizations(routes: OrganizationRoutes) -> tuple[Row, ...]:
    of_staff = f"{_STAFF}/organizations"
    return (
        ("POST", "/v1/organizations", routes.apply),
        ("GET", "/v1/organizations", routes.list),
        ("GET", _ONE, routes.show),
        ("PATCH", _ONE, routes.change),
        ("POST", f"{_ONE}/request-review", routes.request_review),
        ("PUT", f"{_ONE}/visibility", routes.set_visibility),
        ("POST", f"{_ONE}/withdraw", routes.withdraw),
        ("GET", "/v1/public/organizations", routes.listed),
        ("GET", of_staff, routes.queue),
        ("POST", f"{of_staff}/{{organization}}/approve", routes.approve),
        ("POST", f"{of_staff}/{{organization}}/reject", routes.reject),
        ("POST", f"{of_staff}/{{organization}}/request-information", routes.request_information),
        ("POST", f"{of_staff}/{{organization}}/suspend", routes.suspend),
        ("POST", f"{of_staff}/{{organization}}/reinstate", routes.reinstate),
        ("POST", f"{of_staff}/{{organization}}/close", routes.close),
    )


def _of_members(routes: MemberRoutes) -> tuple[Row, ...]:
    return (
        ("GET", f"{_ONE}/members", routes.list),
        ("GET", f"{_ONE}/members/{{member}}", routes.show),
        ("PATCH", f"{_ONE}/members/{{member}}", routes.change),
        ("DELETE", f"{_ONE}/members/{{member}}", routes.remove),
        ("POST", f"{_ONE}/leave", routes.leave),
        ("POST", f"{_ONE}/invitations", routes.invite),
        ("GET", f"{_ONE}/invitations", routes.invitations),
        ("DELETE", f"{_ONE}/invitations/{{invitation}}", routes.revoke_invitation),
        ("POST", "/v1/invitations/accept", routes.accept),
        ("GET", f"{_STAFF}/members", routes.staff),
        ("PUT", f"{_STAFF}/members/{{member}}", routes.set_staff),
        ("DELETE", f"{_STAFF}/members/{{member}}", routes.remove_staff),
    )


def _of_keys(routes: KeyRoutes, path: str) -> tuple[Row, ...]:
    return (
        ("POST", path, routes.create),
        ("GET", path, routes.list),
        ("GET", f"{path}/{{key}}", routes.show),
        ("POST", f"{path}/{{key}}/rotate", routes.rotate),
        ("DELETE", f"{path}/{{key}}", routes.revoke),
    )


def _of_collectors(routes: CollectorRoutes) -> tuple[Row, ...]:
    return (
        ("POST", "/v1/collectors", routes.create),
        ("GET", "/v1/collectors", routes.list),
        ("GET", "/v1/collectors/{collector}", routes.show),
        ("PATCH", "/v1/collectors/{collector}", routes.change),
        ("DELETE", "/v1/collectors/{collector}", routes.close),
        ("GET", "/v1/collectors/{collector}/organizations", routes.organizations),
        ("GET", f"{_ONE}/collectors", routes.allowed),
        ("PUT", f"{_ONE}/collectors/{{collector}}", routes.allow),
        ("DELETE", f"{_ONE}/collectors/{{collector}}", routes.revoke),
    )
