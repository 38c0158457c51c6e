"""What every answer says to caches, browsers and conditional requests: over all operations."""

import re
from collections.abc import AsyncIterator

import pytest

from edge.access import Access
from edge.operation import Operation
from edge.operations import OPERATIONS
from edge.organizations.relationships import SCOPES
from tests.edge.deposits import Deposits
from tests.edge.scribe import Scribe
from tests.edge.stand import Answer, Served, Stand, gift
from tests.ledger.making import name

pytestmark = pytest.mark.asyncio

ELSEWHERE = "https://shop.example"
EXACT = re.compile(r'"[!#-~]+"')
READS = [operation for operation in OPERATIONS if operation.method == "get"]
PUBLIC_PATHS = ("/v1/public/", "/log/", "/problems", "/openapi.json")
KEYED = {"createDonation", "showDonation", "attemptDonation", "cancelDonation"}
BY_IDENTIFIER = {operation.identifier: operation for operation in OPERATIONS}


class Site:
    """A running edge with something at every address."""

    def __init__(self, edge: Served, secret: str, values: dict[str, str]) -> None:
        self.edge, self.secret, self.values = edge, secret, values

    def path(self, operation: Operation) -> str:
        path = re.sub(r"\{(\w+)\}", lambda part: self.values[part[1]], operation.path)
        return path + self.values.get(operation.identifier, "")

    async def get(self, operation: Operation, **headers: str) -> Answer:
        secret = self.secret if isinstance(operation.access, Access) else None
        return await self.edge.get(self.path(operation), secret, **headers)


@pytest.fixture
async def site(stand: Stand, edge: Served, deposits: Deposits) -> AsyncIterator[Site]:
    society = deposits.society
    await Scribe(stand).append([society.gift("shown")])
    folder = stand.settings.public / "log" / "0"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vkey").write_text("a verifier key\n")
    secret = await society.key(*SCOPES)
    given = await edge.donate(gift(society.id), secret)
    assert given.status == 202
    values = {
        "slug": society.slug,
        "organization": society.slug,
        "donation": given.json["id"],
        "entry": name("ent", "shown"),
        "payout": f"po_{society.slug}",
        "log": "0",
        "path": "vkey",
        "refund": name("rfd", "none"),
        "request": name("areq", "none"),
        "proveInclusion": "?index=0&size=1",
        "proveConsistency": "?old=0&new=1",
    }
    names = {part for one in OPERATIONS for part in re.findall(r"\{(\w+)\}", one.path)}
    yield Site(edge, secret, {**dict.fromkeys(names, "none"), **values})


def kept_by(answer: Answer) -> set[str]:
    return {part.strip() for part in answer.headers["Cache-Control"].split(",")}


def varies_by(answer: Answer) -> set[str]:
    return {part.strip() for part in answer.headers.get("Vary", "").split(",")}


async def test_no_answer_to_somebody_is_shared(site: Site) -> None:
    seen = set()
    for operation in READS:
        answer = await site.get(operation)
        shown = f"{operation.identifier}: {answer.status} {dict(answer.headers)}"
        assert answer.status < 500, shown
        if isinstance(operation.access, Access):
            assert kept_by(answer) & {"private", "no-store"}, shown
            assert "public" not in kept_by(answer), shown
            assert "Authorization" in varies_by(answer), shown
            assert "Access-Control-Allow-Origin" not in answer.headers, shown
            refused = await site.edge.get(site.path(operation))
            assert (refused.status, kept_by(refused)) == (401, {"no-store"}), shown
            assert "Authorization" in varies_by(refused), shown
        else:
            for header in ("Authorization", "Cookie"):
                named = await site.edge.get(site.path(operation), **{header: "x"})
                assert "public" not in kept_by(named), shown
                assert header in varies_by(named), shown
        if answer.status >= 400:
            assert kept_by(answer) == {"no-store"}, shown
        seen.add(answer.status)
    assert {200, 404} <= seen


async def test_what_may_be_kept_has_a_strong_tag_and_is_not_sent_twice(site: Site) -> None:
    tagged = set()
    for operation in READS:
        answer = await site.get(operation)
        if answer.status != 200 or "no-store" in kept_by(answer):
            continue
        if operation.rate == "export" and "Amply-Entries" in answer.headers:
            continue  # A download: its Content-Location names the copy, and `offset` continues it.
        if operation.answer == "text/csv":
            continue
        tag = answer.headers.get("ETag", "")
        assert EXACT.fullmatch(tag), f"{operation.identifier}: {dict(answer.headers)}"
        for wanted in (tag, f'"other", {tag}', f"W/{tag}", "*"):
            again = await site.get(operation, If_None_Match=wanted)
            if operation.identifier in {"listEvents"} and again.status == 200:
                continue
            assert (again.status, again.body) == (304, b""), f"{operation.identifier}: {wanted}"
            assert again.headers["ETag"] == tag
            for header in ("Cache-Control", "Vary"):
                assert again.headers.get(header) == answer.headers.get(header)
        other = await site.get(operation, If_None_Match='"other"')
        assert other.status == 200
        tagged.add(operation.identifier)
    assert {"showDonation", "showPublicOrganization", "listPayouts", "showLogFile"} <= tagged


async def test_head_tells_what_get_would(site: Site) -> None:
    for operation in READS:
        got = await site.get(operation)
        headers = {}
        if isinstance(operation.access, Access):
            headers = {"Authorization": f"Bearer {site.secret}"}
        head = await site.edge.ask(
            "HEAD", site.path(operation), headers=headers, allow_redirects=False
        )
        assert head.body == b"", operation.identifier
        if operation.identifier in ("beginSignIn", "listEvents"):
            continue
        assert head.status == got.status, operation.identifier
        for header in ("Content-Type", "ETag", "Cache-Control", "Vary", "Content-Length"):
            if got.status == 200 and header in got.headers and "Amply-Entries" not in got.headers:
                assert head.headers.get(header) == got.headers[header], operation.identifier


async def test_options_names_the_methods_there_are(site: Site) -> None:
    methods: dict[str, set[str]] = {}
    for operation in OPERATIONS:
        found = methods.setdefault(site.path(operation).partition("?")[0], {"OPTIONS"})
        found |= {"GET", "HEAD"} if operation.method == "get" else {operation.method.upper()}
    for path, expected in methods.items():
        answer = await site.edge.ask("OPTIONS", path)
        assert (answer.status, answer.body) == (204, b""), path
        assert set(answer.headers["Allow"].split(", ")) == expected, path
        assert "Access-Control-Allow-Origin" not in answer.headers
    assert (await site.edge.ask("OPTIONS", "/nowhere")).status == 404


async def test_pages_may_read_what_is_public_and_use_publishable_keys_and_nothing_else(
    site: Site,
) -> None:
    for operation in OPERATIONS:
        path = site.path(operation)
        method = operation.method.upper()
        asked = {
            "Origin": ELSEWHERE,
            "Access-Control-Request-Method": method,
            "Access-Control-Request-Headers": "authorization, content-type, idempotency-key",
        }
        answer = await site.edge.ask("OPTIONS", path, headers=asked)
        assert "Access-Control-Allow-Credentials" not in answer.headers
        if path.startswith(PUBLIC_PATHS) or operation.identifier in KEYED:
            assert answer.headers["Access-Control-Allow-Origin"] == "*", path
            assert method in answer.headers["Access-Control-Allow-Methods"].split(", ")
            allowed = answer.headers["Access-Control-Allow-Headers"].lower()
            assert "authorization" in allowed and "idempotency-key" in allowed
        else:
            assert "Access-Control-Allow-Origin" not in answer.headers, path
            assert "Access-Control-Allow-Methods" not in answer.headers, path


async def test_a_page_reads_no_answer_to_a_secret_key(site: Site) -> None:
    donation = BY_IDENTIFIER["showDonation"]
    answer = await site.get(donation, Origin=ELSEWHERE)
    assert answer.status == 200
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert "Origin" in varies_by(answer)
    refused = await site.edge.get(site.path(donation), "ampk_test_wrong", Origin=ELSEWHERE)
    assert (refused.status, refused.headers["Access-Control-Allow-Origin"]) == (401, "*")
    ledger = await site.get(BY_IDENTIFIER["listLedger"], Origin=ELSEWHERE)
    assert "Access-Control-Allow-Origin" not in ledger.headers


async def test_anybodys_page_reads_what_is_public(site: Site) -> None:
    for operation in READS:
        if site.path(operation).startswith(PUBLIC_PATHS):
            for origin in ({}, {"Origin": ELSEWHERE}):
                answer = await site.edge.get(site.path(operation), **origin)
                assert answer.headers["Access-Control-Allow-Origin"] == "*", operation.identifier
                assert "ETag" in answer.headers["Access-Control-Expose-Headers"]


async def test_every_answer_protects_and_follows_its_trace(site: Site) -> None:
    for operation in READS:
        answer = await site.get(operation)
        assert answer.headers["Server"] == "amply"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Strict-Transport-Security"].startswith("max-age=31536000")
        assert answer.headers["X-Request-Id"].startswith("req_")
