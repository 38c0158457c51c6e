"""Messages about messages: one was refused."""

from typing import Annotated
from uuid import UUID

from pydantic import Field

from contracts.message import Body


class MessageRefused(Body):
    """A worker read a message that breaks a rule; it lies in the dead letters with its reason."""

    worker: str
    topic: str
    message: UUID
    code: Annotated[str, Field(pattern=r"^[a-z0-9_]{1,64}$")]
    reason: Annotated[str, Field(max_length=500)]
