"""Copies of a ledger: pinned, continued, by right, in every format, with the manifest of each."""

import asyncio
import csv
import hashlib
import io
import json
from email.message import Message
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import asyncpg
import pytest
from beancount import loader

from edge.exports import service, store
from edge.organizations.service import Registered
from ledger.export_copy import FORMATS
from tests.edge.scribe import Scribe
from tests.edge.stand import Answer, Served, Stand, gift, until
from tests.edge.test_census import count
from tests.edge.test_public import slug_of, verify_export

pytestmark = pytest.mark.asyncio

NAME = 'Füße & Co "Hilfe"'
SCOPES = ("donations:read", "donations:write", "exports")


@pytest.fixture
def scribe(stand: Stand) -> Scribe:
    return Scribe(stand)


async def filled(
    stand: Stand, edge: Served, scribe: Scribe, gifts: int = 5, **given: Any
) -> tuple[Registered, str]:
    """An organization with published gifts of 12.50 in EUR, and the path below which it is read."""
    registered = await stand.register(**{"name": NAME, "scopes": SCOPES, **given})
    for _ in range(gifts):
        answer = await edge.donate(gift(registered.id, amount_minor=1250), registered.key.secret)
        assert answer.status == 202
    await scribe.record(registered.id)
    await scribe.publish()
    return registered, f"organizations/{await slug_of(stand, registered.id)}/ledger/export"


def address_of(answer: Answer, more: str = "") -> str:
    return str(answer.headers["Content-Location"]) + more


async def test_a_copy_is_pinned_while_appends_go_on_and_its_manifest_fits(
    stand: Stand, edge: Served, scribe: Scribe
) -> None:
    registered, path = await filled(stand, edge, scribe)
    firsts = [await edge.get(f"/v1/public/{path}?format={name}") for name in FORMATS]
    await edge.donate(gift(registered.id), registered.key.secret)
    await scribe.record(registered.id)
    await scribe.publish()

    async def grown() -> bool:
        newest = await edge.get(f"/v1/public/{path}")
        return bool(newest.headers["Amply-Entries"] == "7")

    await until(grown, "a newer checkpoint is served")
    for first in firsts:
        assert (first.status, first.headers["Amply-Entries"]) == (200, "6")
        again = await edge.get(address_of(first))
        assert (again.status, again.body) == (200, first.body)
        assert address_of(again) == address_of(first)
        query = urlsplit(address_of(first)).query
        manifest = (await edge.get(f"/v1/public/{path}/manifest?{query}")).json
        assert manifest["entries"] == 6 and manifest["bytes"] == len(first.body)
        assert manifest["sha256"] == hashlib.sha256(first.body).hexdigest()
        assert manifest["size"] == int(parse_qs(query)["size"][0])
        assert manifest["checkpoint"].splitlines()[1] == str(manifest["size"])
    async with stand.serve() as other:  # One that made no copy yet makes it for the manifest.
        assert (await other.get(f"/v1/public/{path}/manifest?{query}")).json == manifest


async def test_a_copy_continues_at_any_byte(
    stand: Stand, edge: Served, scribe: Scribe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "PAGE_ENTRIES_MAX", 2)
    _, path = await filled(stand, edge, scribe)
    for name in FORMATS:
        whole = await edge.get(f"/v1/public/{path}?format={name}")
        length = len(whole.body)
        for offset in (0, 1, length // 3, length // 2, length - 1, length):
            rest = await edge.get(address_of(whole, f"&offset={offset}"))
            assert (rest.status, rest.body) == (200, whole.body[offset:])
        beyond = await edge.get(address_of(whole, f"&offset={length + 1}"))
        assert (beyond.status, beyond.json["param"]) == (422, "offset")
        unpinned = await edge.get(f"/v1/public/{path}?format={name}&offset=3")
        assert (unpinned.status, unpinned.json["param"]) == (422, "offset")


@pytest.mark.parametrize("visibility", ["internal_only", "delayed_public"])
async def test_sealed_money_is_for_keys_that_may_export(
    stand: Stand, edge: Served, scribe: Scribe, visibility: str, tmp_path: Path
) -> None:
    registered, path = await filled(stand, edge, scribe, visibility=visibility)
    secret = registered.key.secret
    for format_name in FORMATS:
        seen = await edge.get(f"/v1/public/{path}?format={format_name}")
        assert seen.status == 200 and b"1250" not in seen.body and b"12.50" not in seen.body
        member = await edge.get(f"/v1/{path}?format={format_name}", secret)
        assert member.status == 200 and member.headers["Cache-Control"] == "private, no-store"
        assert b"1250" in member.body or b"12.50" in member.body
        for content in (seen.body, member.body):
            assert b"Ada" not in content and b"ada@" not in content.lower()
    jsonl = await edge.get(f"/v1/{path}", secret)
    (tmp_path / "export.jsonl").write_bytes(jsonl.body)
    report = await verify_export(tmp_path / "export.jsonl", registered.id)
    assert not report["partial"]
    rows = csv_rows(await edge.get(f"/v1/public/{path}?format=csv"))
    assert [row["visibility"] for row in rows if row["money"] == "sealed"] == [visibility] * 5
    # What a member's copy is, nobody else is told.
    query = urlsplit(address_of(await edge.get(f"/v1/{path}?format=csv", secret))).query
    member = await edge.get(f"/v1/{path}/manifest?{query}", secret)
    seen = await edge.get(f"/v1/public/{path}/manifest?{query}")
    assert member.json["figures"]["sealed"] == {} != seen.json["figures"]["sealed"]
    assert seen.json["figures"]["balances"] == []


def csv_rows(answer: Answer) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(answer.body.decode(), newline="")))


async def test_a_key_without_scope_or_permission_exports_nothing(
    stand: Stand, edge: Served, scribe: Scribe
) -> None:
    registered, path = await filled(stand, edge, scribe, gifts=1)
    plain = await stand.register()
    stranger = await stand.register(scopes=SCOPES)
    for target in (f"/v1/{path}", f"/v1/{path}/manifest"):
        assert (await edge.get(target)).status == 401
        answer = await edge.get(target, plain.key.secret)
        assert (answer.status, answer.code) == (403, "scope_missing")
        answer = await edge.get(target, stranger.key.secret)
        assert (answer.status, answer.code) == (404, "organization_not_found")
        assert (await edge.get(target, registered.key.secret)).status == 200
    unpermitted = await stand.register(scopes=SCOPES, with_permissions=False)
    own = f"/v1/organizations/{await slug_of(stand, unpermitted.id)}/ledger/export"
    answer = await edge.get(own, unpermitted.key.secret)
    assert (answer.status, answer.code) == (403, "permission_denied")


async def test_file_names_and_types(stand: Stand, edge: Served, scribe: Scribe) -> None:
    _, path = await filled(stand, edge, scribe, gifts=1)
    for format_name, extension, media_type in (
        ("jsonl", "jsonl", "application/jsonl"),
        ("csv", "csv", "text/csv"),
        ("beancount", "beancount", "text/plain"),
        ("hledger", "journal", "text/plain"),
    ):
        answer = await edge.get(f"/v1/public/{path}?format={format_name}")
        header = Message()
        header["Content-Disposition"] = answer.headers["Content-Disposition"]
        size = parse_qs(urlsplit(address_of(answer)).query)["size"][0]
        slug = path.split("/")[1]
        ascii_name, _, extended = answer.headers["Content-Disposition"].partition("; filename*=")
        assert ascii_name == f'attachment; filename="{slug}-ledger-{size}.{extension}"'
        name = f"{NAME}-ledger-{size}.{extension}"
        assert extended.startswith("UTF-8''F%C3%BC%C3%9Fe%20%26%20Co%20%22Hilfe%22-ledger-")
        header.replace_header("Content-Disposition", f"attachment; filename*={extended}")
        assert header.get_filename() == name
        assert answer.headers["Content-Type"].startswith(media_type)
    marked = await edge.get(f"/v1/public/{path}?format=csv&bom=true")
    plain = await edge.get(address_of(marked).removesuffix("&bom=true"))
    donations = await edge.get(f"/v1/public/{path}?format=csv&kind=donation")
    assert address_of(donations).endswith("&kind=donation")
    assert len(csv_rows(donations)) == 2
    assert marked.body == b"\xef\xbb\xbf" + plain.body


async def test_journals_over_http_are_what_beancount_reads(
    stand: Stand, edge: Served, scribe: Scribe
) -> None:
    registered, path = await filled(stand, edge, scribe)
    answer = await edge.get(f"/v1/public/{path}?format=beancount")
    _, errors, options = loader.load_string(answer.body.decode())
    assert errors == []
    assert options["title"] == NAME
    fund = registered.funds["EUR"].removeprefix("fund_")
    assert f"balance Assets:Stripe:Fund-{fund}  62.50 ~ 0 EUR" in answer.body.decode()
    last = answer.body.decode().splitlines()[-1]
    assert json.loads(last.partition(": ")[2])["entries"] == 6


async def test_a_query_that_means_nothing_is_refused(
    stand: Stand, edge: Served, scribe: Scribe
) -> None:
    _, path = await filled(stand, edge, scribe, gifts=0)
    for query, param in (
        ("format=xlsx", "format"),
        ("size=0", "size"),
        ("size=123456789", "size"),
        ("at=now", "at"),
        ("at=9999-01-01T00:00:00.000000Z", "at"),
        ("at=2026-02-30T00:00:00.000000Z", "at"),
        ("offset=-1", "offset"),
        ("format=csv&since=1", "since"),
        ("bom=true", "bom"),
        ("format=csv&bom=1", "bom"),
        ("format=csv&kind=refunds", "kind"),
        ("format=hledger&kind=refund", "kind"),
        ("old_size=1", "old_size"),
    ):
        answer = await edge.get(f"/v1/public/{path}?{query}")
        assert (answer.status, answer.code) == (422, "query_not_accepted")
        assert answer.json["param"] == param


async def test_a_cut_download_is_recognised_and_continued(
    stand: Stand, edge: Served, scribe: Scribe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "PAGE_ENTRIES_MAX", 1)
    _, path = await filled(stand, edge, scribe, gifts=8)
    whole = await edge.get(f"/v1/public/{path}?format=csv")
    real = store.page

    async def breaking(connection: asyncpg.Connection, *arguments: Any) -> object:
        if arguments[1] == 5:
            raise OSError("the database is gone")
        return await real(connection, *arguments)

    monkeypatch.setattr(store, "page", breaking)
    received = b""
    with pytest.raises(aiohttp.ClientError):  # The answer is incomplete.
        async with edge.session.get(edge.url + address_of(whole)) as response:
            assert response.status == 200
            async for data in response.content.iter_any():
                received += data
    assert received and whole.body.startswith(received) and received != whole.body
    monkeypatch.setattr(store, "page", real)
    rest = await edge.get(address_of(whole, f"&offset={len(received)}"))
    assert received + rest.body == whole.body


async def test_pages_are_bounded_by_bytes_as_well_as_by_number(
    stand: Stand, edge: Served, scribe: Scribe, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, path = await filled(stand, edge, scribe, gifts=7)
    whole = await edge.get(f"/v1/public/{path}")
    sizes: list[int] = []
    real = store.page

    async def counting(connection: asyncpg.Connection, *arguments: Any) -> list[object]:
        rows = await real(connection, *arguments)
        sizes.append(len(rows))
        return list(rows)

    monkeypatch.setattr(store, "page", counting)
    for bytes_max, largest in ((1, 1), (2000, 4), (1 << 20, 8)):
        sizes.clear()
        monkeypatch.setattr(service, "PAGE_BYTES_MAX", bytes_max)
        assert (await edge.get(address_of(whole))).body == whole.body
        assert max(sizes) <= largest and sum(sizes) == 8


async def test_exports_run_beside_each_other(stand: Stand, edge: Served, scribe: Scribe) -> None:
    _, path = await filled(stand, edge, scribe)
    whole = await edge.get(f"/v1/public/{path}?format=hledger")
    others = await asyncio.gather(*(edge.get(address_of(whole)) for _ in range(20)))
    assert {other.body for other in others} == {whole.body}


async def test_line_1_proves_that_the_newest_census_counts_the_chain(
    stand: Stand, edge: Served, scribe: Scribe, tmp_path: Path
) -> None:
    registered, path = await filled(stand, edge, scribe)
    await count(stand, "census of the exports' tests")
    await edge.donate(gift(registered.id), registered.key.secret)
    await scribe.record(registered.id)
    await scribe.publish()
    answer = await edge.get(f"/v1/public/{path}")
    assert "census" in json.loads(answer.body.partition(b"\n")[0])
    (tmp_path / "export.jsonl").write_bytes(answer.body)
    await verify_export(tmp_path / "export.jsonl", registered.id)
