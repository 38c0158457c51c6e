"""Accounts: what shall be done about an organization's connected account at Stripe."""

from typing import Annotated, Literal

from pydantic import Field

from contracts.message import Body, StripeId

AccountAction = Literal["create", "replace", "adopt", "onboard", "update", "retire", "look"]
AccountRequestId = Annotated[str, Field(pattern=r"^areq_[0-7][0-9a-hjkmnp-tv-z]{25}$")]
CountryCode = Annotated[str, Field(pattern=r"^[A-Z]{2}$")]


class AccountRequested(Body):
    """Do this about the organization's account, and keep what came of it under `request`.

    | action | what happens |
    | --- | --- |
    | `create` | an account in `country` (ISO 3166-1 alpha-2), unless there is one already |
    | `replace` | another account in `country`, current as soon as it may take charges |
    | `adopt` | the existing account `account` is the organization's from now on |
    | `onboard` | a fresh single-use link to what Stripe needs now |
    | `update` | the same, to what Stripe will need |
    | `retire` | no new gifts go to the current account |
    | `look` | see at Stripe how `account` is |
    """

    request: AccountRequestId
    action: AccountAction
    account: StripeId | None = None
    country: CountryCode | None = None
