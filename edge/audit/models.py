"""Audit records as the API shows them."""

from typing import Literal

from pydantic import BaseModel, Field


class AuditActor(BaseModel):
    """Who acted: a key, a person, an operator at the command line, or nobody known."""

    kind: str
    id: str


class AuditRecord(BaseModel):
    """One record. `hash` is over its exact bytes, which the export gives; `prev` the one before.

    `action` is the operation's identifier in this document. `times` counts what one record stands
    for. `network` is the client's shortened address (24 bits of IPv4, 48 of IPv6), null when it is
    not known or was forgotten. `before` and `after` are digests of what was written.
    """

    object: Literal["audit_record"] = "audit_record"
    id: str = Field(description="The position in the organization's chain, as text.")
    seq: int
    time: str
    occurred_at: str
    actor: AuditActor
    credential: str | None
    action: str
    resource: str | None
    request_id: str | None
    outcome: Literal["done", "denied", "read"]
    code: str | None
    times: int
    network: str | None
    before: str | None
    after: str | None
    prev: str | None
    hash: str


class AuditPage(BaseModel):
    """A page of records, newest first."""

    object: Literal["list"] = "list"
    data: list[AuditRecord]
    has_more: bool
    next_cursor: str | None
