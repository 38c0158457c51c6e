"""Every bad request is answered by a precise problem, and leaves nothing behind."""

import secrets
from typing import Any

import orjson
import pytest

from contracts.money import AMOUNT_MINOR_MAX
from edge import api_keys
from tests.edge.stand import Served, Stand, gift, until

pytestmark = pytest.mark.asyncio

BAD_BODIES: list[tuple[str, Any, int, str, str | None]] = [
    # name, changes to a valid body (`...` removes a field) or raw bytes, status, code, param
    ("no amount", {"amount_minor": ...}, 422, "invalid_body", "amount_minor"),
    ("zero", {"amount_minor": 0}, 422, "invalid_body", "amount_minor"),
    ("negative", {"amount_minor": -5}, 422, "invalid_body", "amount_minor"),
    ("fraction", {"amount_minor": 0.001}, 422, "invalid_body", "amount_minor"),
    ("whole float", {"amount_minor": 25.0}, 422, "invalid_body", "amount_minor"),
    ("exponent", b'"amount_minor":1e19', 422, "invalid_body", "amount_minor"),
    ("beyond 64 bits", b'"amount_minor":99999999999999999999', 422, "invalid_body", "amount_minor"),
    ("NaN", b'"amount_minor":NaN', 400, "malformed_json", None),
    ("too large", {"amount_minor": AMOUNT_MINOR_MAX + 1}, 422, "invalid_body", "amount_minor"),
    (
        "too large with fee",
        {"amount_minor": AMOUNT_MINOR_MAX, "covers_fee": True},
        422,
        "invalid_body",
        "amount_minor",
    ),
    ("thousands comma", {"amount_minor": "1,000.00"}, 422, "invalid_body", "amount_minor"),
    ("thousands point", {"amount_minor": "1.000,00"}, 422, "invalid_body", "amount_minor"),
    ("digits as text", {"amount_minor": "2500"}, 422, "invalid_body", "amount_minor"),
    ("full-width digits", {"amount_minor": "２５００"}, 422, "invalid_body", "amount_minor"),
    ("boolean amount", {"amount_minor": True}, 422, "invalid_body", "amount_minor"),
    ("null amount", {"amount_minor": None}, 422, "invalid_body", "amount_minor"),
    ("unknown currency", {"currency": "XTS"}, 422, "currency_not_supported", "currency"),
    ("three decimals", {"currency": "KWD"}, 422, "currency_not_supported", "currency"),
    ("half yen", {"currency": "JPY", "amount_minor": 500.5}, 422, "invalid_body", "amount_minor"),
    (
        "a fraction of an ariary",
        {"currency": "MGA", "amount_minor": 550},
        422,
        "amount_not_chargeable",
        "amount_minor",
    ),
    ("lower-case currency", {"currency": "eur"}, 422, "invalid_body", "currency"),
    ("unknown field", {"amount": 5}, 422, "invalid_body", "amount"),
    ("unknown donor field", {"donor": {"iban": "x"}}, 422, "invalid_body", "donor.iban"),
    ("organization missing", {"organization": ...}, 422, "invalid_body", "organization"),
    ("organization malformed", {"organization": "A B"}, 422, "invalid_body", "organization"),
    (
        "organization unknown",
        {"organization": "nobody"},
        422,
        "organization_unknown",
        "organization",
    ),
    (
        "organization id unknown",
        {"organization": "org_" + "0" * 26},
        422,
        "organization_unknown",
        "organization",
    ),
    ("fund malformed", {"fund": "general"}, 422, "invalid_body", "fund"),
    ("fund unknown", {"fund": "fund_" + "0" * 26}, 422, "fund_unknown", "fund"),
    ("card number", {"payment_method": "4242424242424242"}, 422, "invalid_body", "payment_method"),
    ("covers_fee as text", {"covers_fee": "yes"}, 422, "invalid_body", "covers_fee"),
    ("donor as text", {"donor": "Ada"}, 422, "invalid_body", "donor"),
    ("display unknown", {"donor": {"display": "secret"}}, 422, "invalid_body", "donor.display"),
    ("name too long", {"donor": {"name": "a" * 201}}, 422, "invalid_body", "donor.name"),
    ("name blank", {"donor": {"name": "  "}}, 422, "invalid_body", "donor.name"),
    ("name with line break", {"donor": {"name": "A\r\nB"}}, 422, "invalid_body", "donor.name"),
    ("name with NUL", {"donor": {"name": "Ana\0B"}}, 422, "invalid_body", "donor.name"),
    ("lone surrogate", rb'"donor":{"name":"\ud800"}', 422, "invalid_body", "donor.name"),
    ("mail without host", {"donor": {"email": "ada"}}, 422, "invalid_body", "donor.email"),
    (
        "mail with header",
        {"donor": {"email": "a@b.c\nBcc: x@y.z"}},
        422,
        "invalid_body",
        "donor.email",
    ),
    ("duplicate field", b'"amount_minor":1,"amount_minor":2', 400, "malformed_json", None),
    ("invalid UTF-8", b'"donor":{"name":"\xff"}', 400, "malformed_json", None),
]


def body_of(organization: str, bad: Any) -> bytes:
    if isinstance(bad, bytes):
        base = orjson.dumps(gift(organization, amount_minor=..., donor=...))
        return base[:-1] + b"," + bad + b"}"
    return orjson.dumps(gift(**{"organization": organization, **bad}))


@pytest.mark.parametrize(
    ("bad", "status", "code", "param"),
    [row[1:] for row in BAD_BODIES],
    ids=[row[0] for row in BAD_BODIES],
)
async def test_a_bad_body_is_refused_by_its_field_and_nothing_is_stored(
    stand: Stand, edge: Served, bad: Any, status: int, code: str, param: str | None
) -> None:
    registered = await stand.register()
    key = secrets.token_hex(8)
    answer = await edge.donate(body_of(registered.id, bad), registered.key.secret, key)
    assert (answer.status, answer.code) == (status, code), answer.body
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem = answer.json
    assert problem["type"] == f"http://edge.test/problems/{code}"
    assert problem["status"] == status
    assert problem["instance"] == "/v1/donations"
    assert problem["request_id"] == answer.headers["X-Request-Id"]
    assert problem.get("param") == param
    if code == "invalid_body":
        assert param in [fault["param"] for fault in problem["errors"]]
    assert await stand.stored(registered.id) == (0, 0, 0)
    # The key was not burnt: the corrected body is accepted under it.
    corrected = await edge.donate(gift(registered.id), registered.key.secret, key)
    assert (corrected.status, corrected.headers.get("Idempotent-Replayed")) == (202, None)


WRONG_KEYS = {
    "another key": api_keys.mint("test"),
    "a wrong checksum": "ampk_test_" + "a" * 38,
    "not ASCII": "ampk_test_café",
    "a curly quote": "\u201campk_test_x\u201d",
    "no UTF-8": b"ampk_test_\xff\xfe".decode("utf-8", "surrogateescape"),
    "nothing": "",
}


@pytest.mark.parametrize("token", WRONG_KEYS.values(), ids=WRONG_KEYS)
async def test_every_wrong_key_gets_the_same_answer(stand: Stand, edge: Served, token: str) -> None:
    registered = await stand.register()
    answer = await edge.donate(gift(registered.id), token)
    assert (answer.status, answer.code) == (401, "unauthenticated")
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="amply"'
    wrong = (await edge.donate(gift(registered.id), api_keys.mint("test"))).json
    same = {name: value for name, value in answer.json.items() if name != "request_id"}
    assert same == {name: value for name, value in wrong.items() if name != "request_id"}
    assert await stand.stored(registered.id) == (0, 0, 0)


async def test_keys_that_no_longer_serve(stand: Stand, edge: Served) -> None:
    revoked, expired = await stand.register(), await stand.register()
    assert (await edge.donate(gift(revoked.id), revoked.key.secret)).status == 202
    await stand.fetch("UPDATE edge.api_keys SET revoked_at = now() WHERE id = $1", revoked.key.id)
    await stand.fetch("UPDATE edge.api_keys SET expires_at = now() WHERE id = $1", expired.key.id)

    async def code_for(registered: Any) -> str:
        answer = await edge.donate(gift(registered.id), registered.key.secret)
        return str(answer.json.get("code"))

    async def is_refused() -> bool:
        return await code_for(revoked) == "unauthenticated"

    await until(is_refused, "the cache dropped the revoked key")
    assert await code_for(expired) == "unauthenticated"


async def test_a_key_of_the_other_environment(stand: Stand, edge: Served) -> None:
    registered = await stand.register(environment="live")
    answer = await edge.donate(gift(registered.id), registered.key.secret)
    assert (answer.status, answer.code) == (401, "key_of_other_environment")
    async with stand.serve(environment="live") as live:
        assert (await live.donate(gift(registered.id), registered.key.secret)).status == 202


async def test_scope_and_permission_must_both_allow(stand: Stand, edge: Served) -> None:
    reader = await stand.register(scopes=("donations:read",))
    answer = await edge.donate(gift(reader.id), reader.key.secret)
    assert (answer.status, answer.code) == (403, "scope_missing")
    unknown = await stand.register(with_permissions=False)
    answer = await edge.donate(gift(unknown.id), unknown.key.secret)
    assert (answer.status, answer.code) == (403, "permission_denied")
    stranger = await stand.register()
    answer = await edge.donate(gift(unknown.id), stranger.key.secret)
    assert (answer.status, answer.code) == (403, "permission_denied")
    for registered in (reader, unknown, stranger):
        assert await stand.stored(registered.id) == (0, 0, 0)


async def test_an_organization_that_takes_no_gifts(stand: Stand, edge: Served) -> None:
    registered = await stand.register(accepts_donations=False)
    answer = await edge.donate(gift(registered.id), registered.key.secret)
    assert (answer.status, answer.code) == (409, "donations_not_accepted")
    assert await stand.stored(registered.id) == (0, 0, 0)


async def test_an_organization_without_a_fund(stand: Stand, edge: Served) -> None:
    registered = await stand.register()
    await stand.fetch(
        "UPDATE edge.funds SET is_active = false WHERE organization = $1", registered.id
    )
    answer = await edge.donate(gift(registered.id, currency="CHF"), registered.key.secret)
    assert (answer.status, answer.code) == (422, "currency_not_accepted")


async def test_currencies_that_a_deployment_names(stand: Stand) -> None:
    registered = await stand.register()
    async with stand.serve(currencies=frozenset({"KWD"})) as narrow:
        euros = await narrow.donate(gift(registered.id), registered.key.secret)
        assert (euros.status, euros.code) == (422, "currency_not_supported")
        dinars = gift(registered.id, currency="KWD", amount_minor=18_605)
        answer = await narrow.donate(dinars, registered.key.secret)
        assert (answer.status, answer.code) == (422, "amount_not_chargeable")
        assert "KWD 0.010" in answer.json["detail"]
        exact = gift(registered.id, currency="KWD", amount_minor=18_600)
        assert (await narrow.donate(exact, registered.key.secret)).status == 202


async def test_a_fund_of_another_organization(stand: Stand, edge: Served) -> None:
    registered, other = await stand.register(), await stand.register()
    body = gift(registered.id, fund=other.funds["EUR"])
    answer = await edge.donate(body, registered.key.secret)
    assert (answer.status, answer.code) == (422, "fund_unknown")
    assert await stand.stored(registered.id) == (0, 0, 0)
