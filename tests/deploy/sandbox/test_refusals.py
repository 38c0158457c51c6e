import urllib.error
import urllib.request
from typing import Any

import pytest
import stripe

from tests.deploy.sandbox.harness import KEY, SCHEMA, Sandbox, Shop, payment_parameters

WRONG = [
    ({"amount": 0}, "parameter_invalid_integer", "amount"),
    ({"amount": -5}, "parameter_invalid_integer", "amount"),
    ({"amount": "12.5"}, "parameter_invalid_integer", "amount"),
    ({"amount": "lots"}, "parameter_invalid_integer", "amount"),
    ({"amount": "1e4"}, "parameter_invalid_integer", "amount"),
    ({"amount": ""}, "parameter_invalid_empty", "amount"),
    ({"amount": 49}, "amount_too_small", "amount"),
    ({"amount": 100_000_000}, "amount_too_large", "amount"),
    ({"amount": 10**30}, "parameter_invalid_integer", "amount"),
    ({"amount": {"value": 5}}, None, "amount"),
    ({"currency": "xyz"}, None, "currency"),
    (
        {"currency": "isk", "amount": 150_050},
        "invalid_charge_amount_no_decimal_compatible",
        "amount",
    ),
    ({"application_fee_amount": 5001}, None, "application_fee_amount"),
    ({"application_fee": 5}, "parameter_unknown", "application_fee"),
    ({"metadata": {"k" * 41: "v"}}, None, f"metadata[{'k' * 40}]"),
    ({"metadata": {"k": "v" * 501}}, None, "metadata[k]"),
    ({"metadata": "text"}, None, "metadata"),
    ({"confirm": "perhaps"}, None, "confirm"),
    ({"capture_method": "later"}, None, "capture_method"),
    (
        {"automatic_payment_methods": {"enabled": True, "color": "red"}},
        "parameter_unknown",
        "automatic_payment_methods[color]",
    ),
    ({"automatic_payment_methods": {"enabled": True}}, None, "return_url"),
    ({"payment_method": "pm_none"}, "resource_missing", "payment_method"),
    ({"payment_method_data": {"type": "card", "card": {"number": "4242424242424242"}}}, None, None),
    ({"expand": ["review.charge"]}, None, "expand"),
]


@pytest.mark.parametrize(("change", "code", "param"), WRONG, ids=lambda value: str(value)[:40])
async def test_wrong_parameters_get_stripes_errors_and_leave_nothing(
    shop: Shop, change: dict[str, Any], code: str | None, param: str | None
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        await shop.give(**change)
    assert refused.value.http_status == 400
    assert refused.value.code == code
    if param is not None:
        assert refused.value.param == param
    assert not (await shop.api.payment_intents.list_async({}, shop.on_account())).data
    types: Any = {"types": ["payment_intent.created", "payment_intent.payment_failed"]}
    assert not (await shop.api.events.list_async(types, shop.on_account())).data


async def test_missing_parameters_are_named(shop: Shop) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        await shop.api.payment_intents.create_async({"amount": 500}, shop.on_account())  # type: ignore[typeddict-item]  # currency left out on purpose
    assert (refused.value.code, refused.value.param) == ("parameter_missing", "currency")


async def test_application_fee_needs_a_connected_account(shop: Shop) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        await shop.api.payment_intents.create_async(payment_parameters(application_fee_amount=1))
    assert refused.value.param == "application_fee_amount"


async def test_wrong_key_unknown_account_and_unknown_path(shop: Shop, sandbox: Sandbox) -> None:
    stranger = Shop(sandbox, key="sk_test_anotherKey000000000")
    with pytest.raises(stripe.AuthenticationError) as unknown:
        await stranger.open_account()
    assert unknown.value.http_status == 401
    assert "anotherKey" not in str(unknown.value)
    await stranger.close()
    shop.account = "acct_0000000000000000"
    with pytest.raises(stripe.PermissionError) as forbidden:
        await shop.give()
    assert forbidden.value.http_status == 403
    assert shop.http.last_body["error"]["code"] == "account_invalid"
    assert KEY not in str(forbidden.value)
    with pytest.raises(stripe.InvalidRequestError) as missing:
        await shop.client.raw_request_async("get", "/v1/nothing")
    assert missing.value.http_status == 404


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({}, b"amount=5", 401),
        ({"Authorization": "Bearer sk_test_caf\xe9"}, b"amount=5", 401),
        ({"Authorization": "Basic sk_test"}, b"amount=5", 401),
        ({"Authorization": "Basic c2tfdGVzdF9vdGhlcjo="}, b"amount=5", 401),
        ({"Authorization": f"Bearer {KEY}", "Stripe-Version": "2020-08-27"}, b"amount=5", 400),
        ({"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}, b"{}", 400),
        ({"Authorization": f"Bearer {KEY}"}, b"description=%FF%FE", 400),
        ({"Authorization": f"Bearer {KEY}"}, b"description=\xff", 400),
        ({"Authorization": f"Bearer {KEY}"}, b"a[b][c][d][e][f][g][h]=1", 400),
        ({"Authorization": f"Bearer {KEY}"}, b"a[[=1", 400),
        ({"Authorization": f"Bearer {KEY}"}, b"a=1&a[b]=2", 400),
        ({"Authorization": f"Bearer {KEY}"}, b"&".join([b"a=1"] * 2000), 400),
        ({"Authorization": f"Bearer {KEY}"}, b"a" * (2 << 20), 413),
        ({"Authorization": f"Bearer {KEY}"}, b"metadata[a]=%00&description=%00", 400),
    ],
)
def test_malformed_requests_are_refused_with_a_request_id(
    shared_sandbox: Sandbox, headers: dict[str, str], body: bytes, status: int
) -> None:
    request = urllib.request.Request(
        f"{shared_sandbox.url}/v1/payment_intents", data=body, headers=headers, method="POST"
    )
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=10)
    assert refused.value.code == status
    assert refused.value.headers["Request-Id"].startswith("req_")


def test_control_needs_the_key_and_explains_mistakes(shared_sandbox: Sandbox) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{shared_sandbox.url}/_sandbox/faults", timeout=10)
    assert refused.value.code == 401
    for wrong in (
        {"method": "POST", "action": "explode"},
        {"method": "POST", "action": "duplicate"},
        {"method": "POST", "action": "answer", "status": 200},
        {"method": "POST", "action": "answer", "count": 0},
        {"method": "POST", "action": "delay", "seconds": -1},
        {"method": "POST", "action": "answer", "color": "red"},
        {},
    ):
        answer = shared_sandbox.control("POST", "faults", wrong)
        assert answer["status"] == 400
        assert answer["error"]["message"]
    assert shared_sandbox.control("POST", "nothing")["status"] == 404
    assert shared_sandbox.control("POST", "clock", {"advance_s": -1})["status"] == 400
    assert shared_sandbox.control("GET", "faults")["faults"] == []


def test_every_parameter_of_the_sandbox_is_one_of_stripes() -> None:
    # The import is here because the rest of these tests meets the sandbox over sockets only.
    from deploy.sandbox.calls import API_VERSION
    from deploy.sandbox.routes import ROUTES

    assert SCHEMA["api_version"] == API_VERSION
    for (method, path), route in ROUTES.items():
        published = SCHEMA["requests"][f"{method} {path}"]
        assert set(route.shape.fields) <= set(published), f"{method} {path}"
