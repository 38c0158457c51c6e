"""OWASP API7: addresses that others choose lead to the open internet, or nowhere (case C-12)."""

import asyncio
from collections.abc import Sequence
from ipaddress import ip_address

import aiohttp
import pytest
from aiohttp import web

from edge.tokens.http import Http
from edge.tokens.models import ProviderAwayError
from topics.connections.outside import (
    NotOutsideError,
    OutsideResolver,
    host_of,
    is_outside,
    judge,
    judge_url,
    outside_connector,
)

PUBLIC = "93.184.216.34"
METADATA = "169.254.169.254"


class Names:
    """A resolver that answers one after the other; the last answer again and again."""

    def __init__(self, *answers: Sequence[str] | Exception) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.mark.parametrize(
    "url",
    [
        "http://[::ffff:7f00:1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[64:ff9b::7f00:1]/",
        "http://[64:ff9b::a9fe:a9fe]/",
        "http://[64:ff9b:1::1]/",
        "http://[2002:7f00:1::]/",
        "http://[2002:a9fe:a9fe::1]/",
        "http://[2001:0:7f00:1::]/",
        "http://[::7f00:1]/",
        "http://[::1]/",
        "http://[::]/",
        "http://[fe80::1%25eth0]/",
        "http://[fd00::1]/",
        "http://[ff02::1]/",
        "http://2130706433/",
        "http://0x7f.1/",
        "http://0x7f000001/",
        "http://0177.0.0.1/",
        "http://127.1/",
        "http://127.0.0.1./",
        "http://0/",
        "http://127.0.0.1:80/",
        "http://10.0.0.1/",
        "http://172.16.0.1/",
        "http://192.168.1.1/",
        "http://100.64.0.1/",
        "http://169.254.169.254/latest/meta-data/",
        "http://168.63.129.16/",
        "http://192.0.0.192/",
        "http://224.0.0.1/",
        "http://255.255.255.255/",
        "http://\uff11\uff12\uff17\uff0e\uff10\uff0e\uff10\uff0e\uff11/",
        "http://127\u30020\u30020\u30021/",
        "http://\u2460\u2461\u2466.0.0.1/",
        "http://localhost/",
        "http://LOCALHOST./",
        "http://a.localhost/",
        "http://metadata.google.internal/",
        "http://printer.local/",
        "http://intranet/",
        "http://user@amply.org/",
        "http://user:password@amply.org/",
        "http://amply.org#@127.0.0.1/",
        "http://amply.org\\@127.0.0.1/",
        "http://amply.org\t/",
        "http://amply.org:0/",
        "http://amply.org:99999/",
        "http:///etc/passwd",
        "file:///etc/passwd",
        "gopher://amply.org/",
        "ftp://amply.org/",
        "//amply.org/",
        "amply.org",
        "",
        "http://" + "a" * 3000 + ".org/",
        "http://-amply.org/",
        "http://amply..org/",
    ],
)
async def test_an_address_that_leads_inside_is_refused_when_it_is_registered(url: str) -> None:
    names = Names([PUBLIC])
    with pytest.raises(NotOutsideError) as refused:
        await judge_url(url, allows_http=True, resolve=names)
    assert str(refused.value) == "the address is not one of the open internet", "and no more"


@pytest.mark.parametrize(
    "answers",
    [
        [PUBLIC, "::1"],
        ["::1", PUBLIC],
        [PUBLIC, "10.0.0.1"],
        ["fd00::1"],
        ["::ffff:127.0.0.1"],
        [METADATA],
        [],
        ["not an address"],
    ],
)
async def test_a_name_with_one_address_inside_is_refused(answers: list[str]) -> None:
    with pytest.raises(NotOutsideError):
        await judge("donor.example.org", 443, Names(answers))


@pytest.mark.parametrize("error", [OSError(), TimeoutError(), UnicodeError()])
async def test_a_resolver_that_fails_is_no_yes(error: Exception) -> None:
    with pytest.raises(NotOutsideError):
        await judge("donor.example.org", 443, Names(error))


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [
        ("https://hooks.amply.org/path?query=1", "hooks.amply.org", 443),
        ("https://hooks.amply.org.:8443", "hooks.amply.org.", 8443),
        ("https://xn--bcher-kva.xn--p1ai/", "xn--bcher-kva.xn--p1ai", 443),
        (f"https://{PUBLIC}/", PUBLIC, 443),
        (
            "https://[2606:2800:220:1:248:1893:25c8:1946]:444/",
            "2606:2800:220:1:248:1893:25c8:1946",
            444,
        ),
    ],
)
async def test_an_address_of_the_open_internet_is_pinned_to_what_was_judged(
    url: str, host: str, port: int
) -> None:
    found = await judge_url(url, resolve=Names([PUBLIC, "2606:2800:220:1::1"]))
    assert (found.host, found.port) == (host, port)
    assert all(is_outside(ip_address(address)) for address in found.addresses)


def test_http_is_refused_where_it_is_not_allowed() -> None:
    with pytest.raises(NotOutsideError):
        host_of("http://hooks.amply.org/")


async def test_a_name_that_moves_inside_after_it_was_registered_is_not_connected_to() -> None:
    names = Names([PUBLIC], [METADATA])
    assert (await judge("rebinding.example.org", 80, names)).addresses == (PUBLIC,)
    async with aiohttp.ClientSession(connector=outside_connector(names)) as session:
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.get("http://rebinding.example.org/", allow_redirects=False)
    assert names.asked == 2, "asked again when connecting, and once only"


async def test_a_connection_goes_to_the_judged_address_and_asks_nobody_again() -> None:
    [found, other] = await OutsideResolver(Names([PUBLIC, "2606:2800:220:1::1"])).resolve(
        "a.org", 1
    )
    assert (found["host"], other["host"]) == (PUBLIC, "2606:2800:220:1::1")
    assert found["hostname"] == "a.org", "whose certificate is then asked for"


async def test_a_provider_of_identities_sends_us_nowhere_inside() -> None:
    reached: list[str] = []

    async def handle(request: web.BaseRequest) -> web.Response:
        reached.append(request.path)
        return web.json_response({"jwks_uri": f"http://127.0.0.1:{port}/keys"})

    runner = web.ServerRunner(web.Server(handle))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    http = Http(f"http://localhost:{port}")
    try:
        found = await http.fetch(f"http://localhost:{port}/.well-known/openid-configuration")
        with pytest.raises(ProviderAwayError):
            await http.fetch(found.json["jwks_uri"])
        assert reached == ["/.well-known/openid-configuration"]
    finally:
        await http.close()
        await runner.cleanup()


async def test_no_connection_is_made_to_this_machine_by_any_spelling() -> None:
    reached = asyncio.Event()

    async def handle(request: web.BaseRequest) -> web.Response:
        reached.set()
        return web.Response()

    runner = web.ServerRunner(web.Server(handle))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    try:
        async with aiohttp.ClientSession(connector=outside_connector()) as session:
            for host in ("127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "127.1", "2130706433"):
                with pytest.raises((aiohttp.ClientError, OSError)):
                    await session.get(f"http://{host}:{port}/", allow_redirects=False)
        assert not reached.is_set()
        chosen = frozenset({"localhost"})
        async with aiohttp.ClientSession(connector=outside_connector(chosen=chosen)) as session:
            response = await session.get(f"http://localhost:{port}/", allow_redirects=False)
            assert response.status == 200, "what the operator chose is theirs to choose"
    finally:
        await runner.cleanup()
