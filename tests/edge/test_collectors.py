"""Collectors: made by a person, allowed by organizations, seeing what they collected."""

from typing import Any

from contracts.donations import DonationRequested
from tests.edge.crowd import Crowd, Person
from tests.edge.stand import gift, until

SHOP: dict[str, Any] = {"name": "Corner Shop", "kind": "shop"}


async def collector(crowd: Crowd) -> tuple[Person, str, str]:
    """Who manages it, its id, the secret of a key of its own."""
    platform, manager = await crowd.platform(), await crowd.person()
    answer = await manager.ask("POST", "/v1/collectors", SHOP)
    assert answer.status == 201, answer.body
    await crowd.stand.apply_permissions(platform)
    key = await manager.ask(
        "POST", f"/v1/collectors/{answer.json['id']}/api-keys", {"name": "till"}
    )
    assert key.status == 201, key.body
    assert key.json["scopes"] == ["donations:read", "donations:write"]
    return manager, answer.json["id"], key.json["secret"]


async def allowed(crowd: Crowd, organization: str, identifier: str) -> Person:
    admin = await crowd.member(organization, "admin")
    answer = await admin.ask("PUT", f"/v1/organizations/{organization}/collectors/{identifier}")
    assert (answer.status, answer.json["status"]) == (200, "allowed")
    await crowd.stand.apply_permissions(organization)
    return admin


async def test_it_takes_gifts_for_those_who_allow_it_and_sees_those_alone(crowd: Crowd) -> None:
    one, other = [await crowd.stand.register() for _ in range(2)]
    manager, identifier, secret = await collector(crowd)
    refused = await crowd.edge.donate(gift(one.id), secret)
    assert (refused.status, refused.code) == (403, "permission_denied")
    await allowed(crowd, one.id, identifier)

    async def donates() -> Any:
        return await crowd.edge.donate(gift(one.id), secret)

    async def is_taken() -> Any:
        answer = await donates()
        return answer if answer.status == 202 else None

    posted = await until(is_taken, "the refusal is forgotten")
    [message] = await crowd.stand.messages(one.id, "donations.requested.v1")
    told = DonationRequested.model_validate_json(message["value"])
    assert told.collected_by.startswith("key_")
    assert (await crowd.edge.donate(gift(other.id), secret)).status == 403
    own = posted.headers["Location"]
    shown = await crowd.edge.get(own, secret)
    assert (shown.status, shown.json["organization"]) == (200, one.id)
    foreign = await crowd.edge.donate(gift(one.id), one.key.secret)
    assert (await crowd.edge.get(foreign.headers["Location"], secret)).status == 404
    # The organization sees it, another collector does not.
    _, _, stranger = await collector(crowd)
    assert (await crowd.edge.get(own, stranger)).status == 404
    listed = await manager.ask("GET", f"/v1/collectors/{identifier}/organizations")
    assert [row["organization"] for row in listed.json["data"]] == [one.id]
    for path in (f"/v1/organizations/{one.id}", f"/v1/organizations/{one.id}/ledger"):
        answer = await crowd.ask(secret, "GET", path)
        assert (answer.status, answer.code) == (403, "scope_missing")
    refund = await crowd.ask(secret, "POST", f"{own}/refunds", {})
    assert (refund.status, refund.code) == (403, "scope_missing")


async def test_a_revoked_collector_collects_no_more_before_spicedb_was_told(crowd: Crowd) -> None:
    registered = await crowd.stand.register()
    _, identifier, secret = await collector(crowd)
    admin = await allowed(crowd, registered.id, identifier)
    posted = await crowd.edge.donate(gift(registered.id), secret)
    assert posted.status == 202
    place = f"/v1/organizations/{registered.id}/collectors/{identifier}"
    assert (await admin.ask("DELETE", place)).status == 204

    async def is_refused() -> bool:
        answer = await crowd.edge.donate(gift(registered.id), secret)
        return answer.code == "permission_denied" if answer.status == 403 else False

    await until(is_refused, "the edge heard of it")
    # What it collected it still sees, and changes no more.
    own = posted.headers["Location"]
    assert (await crowd.edge.get(own, secret)).status == 200
    for method, what, body in (
        ("POST", "attempts", {"payment_method": "pm_card_visa"}),
        ("POST", "cancel", {}),
        ("PUT", "display", {"display": "anonymous"}),
        ("PUT", "consents/marketing", {"is_given": True, "wording": "Yes", "source": "shop"}),
    ):
        answer = await crowd.ask(secret, method, f"{own}/{what}", body)
        assert (answer.status, answer.code) == (403, "permission_denied"), what
    listed = await admin.ask("GET", f"/v1/organizations/{registered.id}/collectors?status=revoked")
    assert [row["collector"] for row in listed.json["data"]] == [identifier]
    await crowd.stand.apply_permissions(registered.id)
    again = await admin.ask("PUT", place)
    assert (again.status, again.json["status"]) == (200, "allowed")


async def test_a_closed_collectors_keys_open_nothing(crowd: Crowd) -> None:
    registered = await crowd.stand.register()
    manager, identifier, secret = await collector(crowd)
    await allowed(crowd, registered.id, identifier)
    place = f"/v1/collectors/{identifier}"
    assert (await manager.ask("DELETE", place, If_Match='"7"')).code == "precondition_failed"
    assert (await manager.ask("DELETE", place)).status == 204

    async def is_nobody() -> bool:
        return (await crowd.edge.donate(gift(registered.id), secret)).status == 401

    await until(is_nobody, "the edge heard of it")
    assert (await manager.ask("GET", place)).json["status"] == "closed"
    admin = await crowd.member(registered.id, "admin")
    answer = await admin.ask("PUT", f"/v1/organizations/{registered.id}/collectors/{identifier}")
    assert answer.status == 404


async def test_only_whoever_manages_a_collector_and_staff_reach_it(crowd: Crowd) -> None:
    manager, identifier, _ = await collector(crowd)
    stranger, support = await crowd.person(), await crowd.staff("support")
    operator = await crowd.staff("operations")
    place = f"/v1/collectors/{identifier}"
    for method, path in (
        ("GET", place),
        ("DELETE", place),
        ("GET", f"{place}/organizations"),
        ("GET", f"{place}/api-keys"),
        ("POST", f"{place}/api-keys"),
    ):
        answer = await stranger.ask(method, path)
        assert (answer.status, answer.code) == (404, "collector_not_found"), path
    assert (await support.ask("GET", place)).status == 200
    assert (await support.ask("DELETE", place)).status == 404
    tag = (await manager.ask("GET", place)).headers["ETag"]
    changed = await manager.ask("PATCH", place, {"kind": "fundraiser"}, If_Match=tag)
    assert (changed.status, changed.json["kind"]) == (200, "fundraiser")
    assert (await manager.ask("PATCH", place, {"kind": "bank"}, If_Match="*")).status == 422
    assert (await operator.ask("DELETE", place)).status == 204
    mine = await manager.ask("GET", "/v1/collectors")
    assert [one["id"] for one in mine.json["data"]] == [identifier]


async def test_only_admins_with_a_second_factor_allow_a_collector(crowd: Crowd) -> None:
    registered = await crowd.stand.register()
    _, identifier, _ = await collector(crowd)
    place = f"/v1/organizations/{registered.id}/collectors/{identifier}"
    finance = await crowd.member(registered.id, "finance")
    admin = await crowd.member(registered.id, "admin")
    assert (await finance.ask("PUT", place)).code == "permission_denied"
    assert (await admin.ask_weakly("PUT", place)).code == "step_up_needed"
    assert (await admin.ask("DELETE", place)).code == "collector_not_found"
    unknown = f"/v1/organizations/{registered.id}/collectors/col_{'0' * 26}"
    assert (await admin.ask("PUT", unknown)).code == "collector_not_found"
