"""Events: what happened to an organization's things, for whoever listens from outside."""

from typing import Annotated, Any, Final

from pydantic import Field

from contracts.message import Body

EventType = Annotated[str, Field(pattern=r"^[a-z_]{1,40}\.[a-z_]{1,40}$", max_length=81)]

#: Every type of event there is, with what it says. A new one is added here first.
EVENT_TYPES: Final = {
    "account.updated": "Stripe changed what it says of the organization's account: look again",
    "api_key.created": "there is a new key",
    "api_key.revoked": "a key works no longer",
    "api_key.rotated": "a key has a successor; both work for a while",
    "campaign.cancelled": "a campaign ended before its goal or day",
    "campaign.completed": "a campaign is over",
    "campaign.created": "there is a new campaign",
    "campaign.updated": "a campaign changed, its status perhaps",
    "collector.added": "somebody may collect for the organization",
    "collector.removed": "somebody may collect for the organization no longer",
    "collector.updated": "what somebody may collect changed",
    "dispute.closed": "a dispute ended: won, lost, or an inquiry that came to nothing",
    "dispute.created": "a donor's bank asks about a gift, or takes it back",
    "dispute.updated": "a dispute changed",
    "donation.canceled": "a gift was not paid and never will be, as somebody decided",
    "donation.completed": "a gift's money is on the organization's account",
    "donation.created": "a gift was promised; no money has moved",
    "donation.disputed": "a donor's bank disputes a gift",
    "donation.expired": "a gift was not paid in time and never will be",
    "donation.failed": "an attempt to collect a gift ended without money; another may follow",
    "donation.processing": "a gift's money is on its way",
    "donation.refunded": "a gift was given back, or a part of it",
    "donation.requires_action": "the donor must confirm",
    "entry.recorded": "an entry is in the ledger for good",
    "entry.refused": "the ledger refused for good what it was asked to record",
    "fund.closed": "a fund takes nothing any more",
    "fund.created": "there is a new fund",
    "fund.updated": "a fund changed",
    "invitation.accepted": "an invited person became a member",
    "invitation.created": "a person was invited",
    "invitation.revoked": "an invitation is void",
    "member.added": "a person may act for the organization",
    "member.removed": "a person may act for the organization no longer",
    "member.updated": "a person's role changed",
    "organization.created": "the organization applied, or was registered",
    "organization.suspended": "the organization may move no money for now",
    "organization.updated": "the organization's data changed",
    "organization.verified": "the organization was reviewed and may collect",
    "payout.created": "Stripe began a payout: look again",
    "payout.failed": "a payout came back",
    "payout.paid": "a payout arrived at the bank",
    "project.created": "there is a new project",
    "project.updated": "a project changed, its status perhaps",
    "refund.created": "a refund was asked for, here or at Stripe",
    "refund.updated": "a refund changed",
}


class ResourceChanged(Body):
    """Something that the edge keeps changed. `object` is the resource as its API shows it.

    `event` is one of EVENT_TYPES, `subject` the resource's id. Nothing identifies a person.
    """

    event: EventType
    subject: Annotated[str, Field(min_length=1, max_length=255)]
    object: dict[str, Any]
