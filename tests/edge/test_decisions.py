from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from contracts.donations import Visibility
from contracts.fees import SCHEDULES
from contracts.identifiers import random_id
from contracts.money import AMOUNT_MINOR_MAX, charge_step
from edge.caller import Caller
from edge.directory.records import Fund, Organization
from edge.donations import decisions
from edge.donations.models import DonationRequest, Donor
from edge.errors import ProblemError

NOW = datetime(2027, 3, 1, 12, tzinfo=UTC)
LONG_AGO = datetime(2020, 3, 1, 12, tzinfo=UTC)
CALLER = Caller(
    id="key_" + "0" * 26,
    kind="api_key",
    subject="api_key:key_" + "0" * 26,
    organization="org_" + "0" * 26,
    environment="test",
    scopes=frozenset(),
)


def organization(visibility: Visibility = "public_full") -> Organization:
    return Organization("org_" + "0" * 26, "o", "O", 0, visibility, 365, True, True)


def fund(visibility: Visibility | None = None) -> Fund:
    return Fund("fund_" + "0" * 26, "org_" + "0" * 26, "EUR", visibility, True)


def request(**changes: Any) -> DonationRequest:
    values: dict[str, Any] = {"organization": "oo", "amount_minor": 2500, "currency": "EUR"}
    return DonationRequest(**values, payment_method="pm_1", **changes)


@pytest.mark.parametrize(
    ("of_organization", "of_fund", "display", "expected"),
    [
        ("public_full", None, None, "public_full"),
        ("public_full", None, "public", "public_full"),
        ("public_full", None, "amount_only", "public_full"),
        ("public_full", None, "anonymous", "public_aggregated"),
        ("public_full", "internal_only", "anonymous", "internal_only"),
        ("public_full", "delayed_public", "anonymous", "delayed_public"),
        ("internal_only", "public_full", "public", "public_full"),
        ("internal_only", "public_full", "anonymous", "public_aggregated"),
        ("public_aggregated", None, "public", "public_aggregated"),
    ],
)
def test_visibility_is_the_funds_then_the_organizations_and_anonymity_only_lowers_it(
    of_organization: Visibility,
    of_fund: Visibility | None,
    display: Any,
    expected: Visibility,
) -> None:
    donor = Donor(name="A", display=display) if display else None
    found = decisions.visibility_of(organization(of_organization), fund(of_fund), donor)
    assert found == expected


def test_a_delayed_gift_says_when_it_becomes_public() -> None:
    opens = datetime(2028, 2, 29, 12, tzinfo=UTC)
    for of_fund, expected in ((fund("delayed_public"), opens), (fund(), None)):
        gift = decisions.decide(
            *(request(), CALLER, organization(), of_fund, random_id(NOW)), LONG_AGO, NOW
        )
        assert gift.public_after == expected


def test_a_covered_fee_leaves_the_whole_gift() -> None:
    charge = decisions.charge_of(request(covers_fee=True), organization())
    assert charge - SCHEDULES["EUR"].fee_minor(charge) >= 2500
    assert decisions.charge_of(request(), organization()) == 2500


def test_a_covered_fee_covers_the_platforms_share_too_and_the_message_names_it() -> None:
    shares = replace(organization(), platform_fee_basis_points=100)
    gift = decisions.decide(
        *(request(covers_fee=True), CALLER, shares, fund(), random_id(NOW)), NOW, NOW
    )
    body = decisions.message_of(gift, None).body
    assert body.platform_fee_minor == body.charge_amount_minor // 100 == 25
    left = body.charge_amount_minor - SCHEDULES["EUR"].fee_minor(body.charge_amount_minor) - 25
    assert left >= 2500


@pytest.mark.parametrize(
    ("currency", "amount_minor", "charged"),
    [
        ("JPY", 500, 500),
        ("KWD", 18_600, 18_600),
        ("KWD", 18_605, None),
        ("MGA", 550, None),
        ("UGX", 100, 100),
        ("ISK", 1500, 1500),
        ("HUF", 10_050, 10_050),
    ],
)
@pytest.mark.parametrize("covers_fee", [True, False])
def test_amounts_that_no_charge_can_have_are_refused(
    currency: str, amount_minor: int, charged: int | None, covers_fee: bool
) -> None:
    wanted = request(covers_fee=covers_fee).model_copy(
        update={"currency": currency, "amount_minor": amount_minor}
    )
    if charged is None:
        with pytest.raises(ProblemError) as refused:
            decisions.charge_of(wanted, organization())
        assert (refused.value.code, refused.value.param) == (
            "amount_not_chargeable",
            "amount_minor",
        )
        return
    found = decisions.charge_of(wanted, organization())
    assert found % charge_step(currency) == 0
    assert (found > charged) if covers_fee else (found == charged)


def test_a_charge_past_the_bound_is_refused_by_the_amount() -> None:
    large = request(covers_fee=True).model_copy(update={"amount_minor": AMOUNT_MINOR_MAX})
    with pytest.raises(ProblemError) as refused:
        decisions.charge_of(large, organization())
    assert (refused.value.code, refused.value.param) == ("invalid_body", "amount_minor")


@pytest.mark.parametrize(
    ("donor", "expected"),
    [
        (None, None),
        (Donor(display="anonymous"), None),
        (Donor(name="A"), {"name": "A", "display": "public"}),
        (
            Donor(email="a@b.c", display="amount_only"),
            {"email": "a@b.c", "display": "amount_only"},
        ),
    ],
)
def test_only_what_identifies_a_person_is_sealed(donor: Donor | None, expected: Any) -> None:
    assert decisions.donor_value(donor) == expected


def test_nothing_personal_is_in_the_answer() -> None:
    donor = Donor(name="Ada Example", email="ada@example.org")
    gift = decisions.decide(
        *(request(donor=donor), CALLER, organization(), fund(), random_id(NOW)), NOW, NOW
    )
    assert "ada" not in str(decisions.answer_of(gift)).lower()
