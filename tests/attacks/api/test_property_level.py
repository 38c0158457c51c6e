"""OWASP API3: no field is set that is not offered, and none is shown that is not documented."""

from typing import Any

import orjson
import pytest

from edge.operation import Operation
from edge.operations import OPERATIONS
from tests.attacks.api.schemas import DOCUMENT, JSON, fields, undocumented
from tests.attacks.api.world import World, made_up, names_in
from tests.edge.stand import gift

WITH_BODY = {one.identifier: one for one in OPERATIONS if one.body is not None}


def described(operation: Operation) -> dict[str, Any]:
    found: dict[str, Any] = DOCUMENT["paths"][operation.path][operation.method]
    return found


@pytest.mark.parametrize("identifier", WITH_BODY)
def test_every_object_of_a_request_refuses_fields_that_it_does_not_name(identifier: str) -> None:
    body = described(WITH_BODY[identifier])["requestBody"]["content"]
    for content in body.values():
        for path, schema in fields(content["schema"]):
            if schema.get("type") == "object" or "properties" in schema:
                assert schema.get("additionalProperties") is False, (identifier, path)


#: What an attacker would like to set, in the names that this platform uses within.
WISHES = (
    *("id", "object", "status", "created_at", "environment", "stripe_account", "verified"),
    *("scopes", "role", "is_platform", "collected_by", "visibility", "entry", "fee_minor"),
    *("__proto__", "constructor", "platform_fee_basis_points", "accepts_donations"),
)


@pytest.mark.parametrize("name", WISHES)
async def test_a_gift_cannot_be_given_what_the_platform_decides(world: World, name: str) -> None:
    answer = await world.edge.donate(gift(world.a.slug, **{name: "x"}), world.a.secret)
    assert (answer.status, answer.code) == (422, "invalid_body")
    assert answer.json["param"] == name
    nested = gift(world.a.slug, donor={"display": "public", name: "x"})
    answer = await world.edge.donate(nested, world.a.secret)
    assert (answer.status, answer.json["param"]) == (422, f"donor.{name}")


@pytest.mark.parametrize("identifier", WITH_BODY)
async def test_every_operation_refuses_a_field_that_it_does_not_offer(
    world: World, identifier: str
) -> None:
    operation = WITH_BODY[identifier]
    parameters = {
        name: world.a.owned.get(name, invented) for name, invented in made_up(operation).items()
    }
    data = orjson.dumps({"a_field_that_nobody_offers": True})
    headers = {"If-Match": "*"}
    answer = await world.ask(operation, parameters, world.a.secret, data=data, headers=headers)
    if answer.status == 422:
        refused = {fault["param"]: fault["code"] for fault in answer.json.get("errors", [])}
        is_untold = any(code.startswith("union_tag") for code in refused.values())
        assert is_untold or "a_field_that_nobody_offers" in refused, answer.body
    else:  # Refused before the body was looked at.
        assert answer.status in (401, 403, 404, 412, 428), answer.body


async def test_answers_show_documented_fields_only(world: World) -> None:
    checked = set()
    for operation in OPERATIONS:
        names = names_in(operation)
        if operation.method != "get" or not set(names) <= set(world.a.owned):
            continue
        answer = await world.ask(
            operation, {name: world.a.owned[name] for name in names}, world.a.secret
        )
        content = described(operation)["responses"].get(str(answer.status), {}).get("content", {})
        if JSON in content:
            shown = undocumented(answer.json, content[JSON]["schema"])
            assert shown == [], operation.identifier
            checked.add(operation.identifier)
    assert {"showDonation", "showEntry", "listLedger", "showPublicOrganization"} <= checked


async def test_a_donor_is_in_no_answer_but_those_about_donors(world: World) -> None:
    """The gifts of this world were given by Ada Example, by mail."""
    for operation in OPERATIONS:
        names = names_in(operation)
        if operation.method != "get" or not set(names) <= set(world.a.owned):
            continue
        parameters = {name: world.a.owned[name] for name in names}
        for secret in (None, world.a.secret):
            answer = await world.ask(operation, parameters, secret)
            # A receipt is the donor's own proof.
            if not (operation.reads_personal_data or operation.identifier == "showReceipt"):
                assert b"Ada" not in answer.body, operation.identifier
                assert b"example.org" not in answer.body.lower(), operation.identifier
