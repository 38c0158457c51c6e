"""The shape of every message: CloudEvents attributes around a frozen body.

Attributes travel in Kafka headers (CloudEvents 1.0, binary mode), the body is JSON. Whoever makes
a body refuses unknown fields; whoever reads one ignores them, so that producers may add fields.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Generic, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field


class Body(BaseModel):
    """What a message says. Frozen: a fact that was told does not change."""

    model_config = ConfigDict(frozen=True, extra="forbid")


BodyT = TypeVar("BodyT", bound=Body)
BodyT_co = TypeVar("BodyT_co", bound=Body, covariant=True)


@dataclass(frozen=True, slots=True)
class Envelope(Generic[BodyT_co]):
    """A message: attributes and body.

    `type` is the topic's name, `time` when the thing happened outside (UTC), `organization` the
    `org_…` whose affair it is, `cause` the id of the message this one follows from, if any. `trace`
    is the `traceparent` of whatever began it all (W3C Trace Context): nothing depends on it.
    """

    id: UUID
    type: str
    time: datetime
    organization: str
    cause: UUID | None
    body: BodyT_co
    trace: str | None = field(default=None, compare=False)


_SUFFIX = "[0-7][0-9a-hjkmnp-tv-z]{25}"

OrganizationId = Annotated[str, Field(pattern=f"^org_{_SUFFIX}$")]
FundId = Annotated[str, Field(pattern=f"^fund_{_SUFFIX}$")]
ProjectId = Annotated[str, Field(pattern=f"^proj_{_SUFFIX}$")]
CampaignId = Annotated[str, Field(pattern=f"^camp_{_SUFFIX}$")]
BookingId = Annotated[str, Field(pattern=f"^book_{_SUFFIX}$")]
TransferId = Annotated[str, Field(pattern=f"^tra_{_SUFFIX}$")]
DonationId = Annotated[str, Field(pattern=f"^don_{_SUFFIX}$")]
ApiKeyId = Annotated[str, Field(pattern=f"^key_{_SUFFIX}$")]
PersonId = Annotated[str, Field(pattern=f"^usr_{_SUFFIX}$")]
#: Who asked for something.
CallerId = ApiKeyId | PersonId
ProfileId = Annotated[str, Field(pattern=f"^prof_{_SUFFIX}$")]
RefundId = Annotated[str, Field(pattern=f"^rfd_{_SUFFIX}$")]
DisputeId = Annotated[str, Field(pattern=f"^dsp_{_SUFFIX}$")]
EntryId = Annotated[str, Field(pattern=f"^ent_{_SUFFIX}$")]
StripeId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_]{1,255}$")]
#: A word of somebody's machine-readable vocabulary, Stripe's for instance.
Code = Annotated[str, Field(pattern=r"^[a-z0-9_]{1,64}$")]
Sha256Hex = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
