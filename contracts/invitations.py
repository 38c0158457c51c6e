"""Invitations: the mail that brings one."""

from typing import Annotated, Final

from pydantic import Field

from contracts.message import Body

#: The purpose of the key under which the edge encrypts what the mail needs.
SEALED_PURPOSE: Final = "invitation-mail"


class InvitationMailRequested(Body):
    """Mail this invitation to whom it is for; nothing when it is over by then.

    Neither address nor token is in the message: both are read, encrypted, from the edge's row,
    which loses them when the invitation is over.
    """

    invitation: Annotated[str, Field(pattern=r"^inv_[0-7][0-9a-hjkmnp-tv-z]{25}$")]
