"""Collectors as the API shows and takes them."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from contracts.message import OrganizationId
from edge.donations.models import Name
from edge.organizations.models import WebAddress
from edge.resources import patch_of

CollectorKind = Literal["shop", "point_of_sale", "fundraiser"]


class CollectorProfile(BaseModel):
    """Who collects."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    name: Name
    kind: CollectorKind
    website: WebAddress | None = None


CollectorProfilePatch = patch_of(CollectorProfile)


class Collector(BaseModel):
    """A collector; `manager` is the person who manages it. A closed one's keys open nothing."""

    id: str
    object: Literal["collector"]
    name: str
    kind: CollectorKind
    website: str | None
    status: Literal["active", "closed"]
    manager: str
    created_at: str
    updated_at: str


class CollectorPage(BaseModel):
    """Newest first."""

    object: Literal["list"]
    has_more: bool
    next_cursor: str | None
    data: list[Collector]


class Collection(BaseModel):
    """That an organization allows a collector to take gifts for it, or has revoked that."""

    object: Literal["collection"]
    organization: OrganizationId
    organization_slug: str
    collector: str
    collector_name: str
    status: Literal["allowed", "revoked"]
    created_at: str
    updated_at: str


class CollectionPage(BaseModel):
    """Oldest first."""

    object: Literal["list"]
    has_more: bool
    next_cursor: str | None
    data: list[Collection]
