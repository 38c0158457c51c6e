"""Donations: what a donor intends to give, as the edge accepted it."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from contracts.message import (
    ApiKeyId,
    Body,
    CampaignId,
    DonationId,
    FundId,
    ProfileId,
    Sha256Hex,
)
from contracts.money import AmountMinor, Currency

Visibility = Literal["public_full", "public_aggregated", "delayed_public", "internal_only"]

PaymentMethodId = Annotated[str, Field(pattern=r"^pm_[A-Za-z0-9_]{1,200}$")]


class SealedDonor(Body):
    """Who gave, sealed at the edge: a commitment for the ledger and a ciphertext for the opening.

    `opening` is base64 of nonce and AES-256-GCM ciphertext of the opening's canonical JSON, under
    the data key of `profile`. Destroying that key forgets the person in every topic and backup.
    """

    profile: ProfileId
    seal: Sha256Hex
    opening: Annotated[str, Field(max_length=16_384)]


class DonationRequested(Body):
    """A gift was promised (202 was answered); no money has moved.

    `amount_minor` is the gift, `charge_amount_minor` what the donor pays: more than the gift when
    the donor covers the estimated fees. `payment_method` None: the donor confirms on the client.
    `fund_currency` is what the fund holds (None: `currency`), `platform_fee_minor` the platform's
    share of the charge, in `currency`. `campaign` is what the donor was asked by.
    """

    donation: DonationId
    fund: FundId
    amount_minor: AmountMinor
    charge_amount_minor: AmountMinor
    currency: Currency
    covers_fee: bool
    payment_method: PaymentMethodId | None
    collected_by: ApiKeyId
    visibility: Visibility
    public_after: datetime | None
    donor: SealedDonor | None
    fund_currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] | None = None
    platform_fee_minor: Annotated[int, Field(strict=True, ge=0)] = 0
    campaign: CampaignId | None = None
