"""OWASP API9: nothing is served that is not written down, and nothing written down is missing."""

import re

from edge.app import build_app
from edge.operations import OPERATIONS
from tests.edge.stand import Stand

#: Served, and about this server rather than about Amply: not part of the API's document.
NOT_OF_THE_API = {
    ("GET", "/livez"),
    ("GET", "/readyz"),
    ("GET", "/metrics"),
    ("GET", "/version"),
    ("GET", "/openapi.json"),
    ("GET", "/problems"),
    ("GET", "/problems/{code}"),
}


async def test_every_route_is_in_the_document_or_in_the_written_list(stand: Stand) -> None:
    app = build_app(stand.settings)
    served = {
        (route.method, re.sub(r":[^}]*}", "}", route.resource.canonical))
        for route in app.router.routes()
        if route.resource is not None and route.method != "HEAD"
    }
    documented = {(one.method.upper(), one.path) for one in OPERATIONS}
    assert served - documented == NOT_OF_THE_API
    assert documented - served == set()


async def test_head_is_answered_where_get_is_and_only_there(stand: Stand) -> None:
    app = build_app(stand.settings)
    routes = [(route.method, route.resource) for route in app.router.routes()]
    got = {resource for method, resource in routes if method == "GET"}
    assert {resource for method, resource in routes if method == "HEAD"} <= got


def test_every_path_of_the_api_carries_its_version_and_the_log_its_number() -> None:
    for operation in OPERATIONS:
        assert operation.path.startswith(("/v1/", "/log/{log}/"))
