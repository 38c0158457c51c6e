"""What a gift becomes, without looking anything up: charge, visibility, message, answer."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from contracts.donations import DonationRequested, SealedDonor, Visibility
from contracts.fees import charge_for, platform_fee
from contracts.identifiers import type_id
from contracts.message import Envelope
from contracts.money import AMOUNT_MINOR_MAX, charge_step, spell
from edge.caller import Caller
from edge.directory.records import Fund, Organization
from edge.donations.models import DonationRequest, Donor
from edge.donors import people
from edge.errors import Fault, ProblemError
from edge.refunds.decisions import NOTHING
from edge.times import spell_time

TOPIC: Final = "donations.requested.v1"


@dataclass(frozen=True, slots=True)
class Gift:
    """An accepted request: everything that the database and the topic will hold of it.

    `donation` is the message's id spelled `don_…`.
    """

    id: UUID
    donation: str
    now: datetime
    caller: Caller
    organization: Organization
    fund: Fund
    request: DonationRequest
    charge_amount_minor: int
    visibility: Visibility
    public_after: datetime | None


def visibility_of(organization: Organization, fund: Fund, donor: Donor | None) -> Visibility:
    """The fund's, else the organization's; an anonymous donor lowers `public_full`."""
    visibility = fund.visibility or organization.visibility
    if visibility == "public_full" and donor is not None and donor.display == "anonymous":
        return "public_aggregated"
    return visibility


def charge_of(request: DonationRequest, organization: Organization) -> int:
    """What the donor pays, in minor units; ProblemError 422 when nobody can be charged that."""
    step = charge_step(request.currency)
    if request.amount_minor % step:
        detail = f"A charge must be a multiple of {spell(step, request.currency)}."
        raise ProblemError("amount_not_chargeable", detail, param="amount_minor")
    if not request.covers_fee:
        return request.amount_minor
    charge = charge_for(
        request.amount_minor, request.currency, organization.platform_fee_basis_points
    )
    if charge > AMOUNT_MINOR_MAX:
        detail = f"`amount_minor` and the fee together may be {AMOUNT_MINOR_MAX}."
        fault = Fault("amount_minor", "less_than_equal", detail)
        raise ProblemError("invalid_body", detail, param="amount_minor", faults=[fault])
    return charge


def decide(
    request: DonationRequest,
    caller: Caller,
    organization: Organization,
    fund: Fund,
    identifier: UUID,
    now: datetime,
    business_now: datetime,
) -> Gift:
    """The gift that a request makes; a delay is counted by the business clock."""
    visibility = visibility_of(organization, fund, request.donor)
    public_after = (
        business_now + timedelta(days=organization.public_after_days)
        if visibility == "delayed_public"
        else None
    )
    return Gift(
        id=identifier,
        donation=type_id("don", identifier),
        now=now,
        caller=caller,
        organization=organization,
        fund=fund,
        request=request,
        charge_amount_minor=charge_of(request, organization),
        visibility=visibility,
        public_after=public_after,
    )


def donor_value(donor: Donor | None) -> dict[str, Any] | None:
    """What is sealed of a donor; None when nothing identifies a person."""
    if donor is None or (donor.name is None and donor.email is None):
        return None
    return donor.model_dump(exclude_none=True)


def person_of(donor: Donor) -> str | None:
    """The normalised mail address by which an organization knows a person again."""
    return people.person_of(donor.email) if donor.email is not None else None


def message_of(gift: Gift, donor: SealedDonor | None) -> Envelope[DonationRequested]:
    """The message that asks for the payment."""
    return Envelope(
        id=gift.id,
        type=TOPIC,
        time=gift.now,
        organization=gift.organization.id,
        cause=None,
        body=DonationRequested(
            donation=gift.donation,
            fund=gift.fund.id,
            amount_minor=gift.request.amount_minor,
            charge_amount_minor=gift.charge_amount_minor,
            currency=gift.request.currency,
            covers_fee=gift.request.covers_fee,
            payment_method=gift.request.payment_method,
            collected_by=gift.caller.id,
            visibility=gift.visibility,
            public_after=gift.public_after,
            donor=donor,
            fund_currency=None
            if gift.fund.currency == gift.request.currency
            else gift.fund.currency,
            campaign=gift.request.campaign,
            platform_fee_minor=platform_fee(
                gift.charge_amount_minor,
                gift.organization.platform_fee_basis_points,
                charge_step(gift.request.currency),
            ),
        ),
    )


def answer_of(gift: Gift) -> dict[str, Any]:
    """The donation as it is answered with 202: it holds nothing personal."""
    now = spell_time(gift.now)
    return {
        "id": gift.donation,
        "object": "donation",
        "status": "pending",
        "organization": gift.organization.id,
        "fund": gift.fund.id,
        "campaign": gift.request.campaign,
        "amount_minor": gift.request.amount_minor,
        "charge_amount_minor": gift.charge_amount_minor,
        "currency": gift.request.currency,
        "covers_fee": gift.request.covers_fee,
        "attempt": 1,
        "payment_intent": None,
        "failure": None,
        "next_action": None,
        "entry": None,
        **NOTHING,
        "created_at": now,
        "updated_at": now,
        "links": links_of(gift.donation),
    }


def links_of(donation: str) -> dict[str, str]:
    """Where a donation and its receipt are."""
    return {"self": f"/v1/donations/{donation}", "receipt": f"/v1/donations/{donation}/receipt"}
