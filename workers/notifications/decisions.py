"""What a donor is told of a recorded gift or refund. Pure: no await, no clock, no database.

Nothing that a donor typed goes into a mail, so that nobody can be made to write to others through
us; what an organization typed loses its line breaks.
"""

from dataclasses import dataclass
from datetime import datetime
from email.errors import HeaderParseError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTPUTF8
from email.utils import format_datetime
from typing import Any, Final, Literal

import orjson

from contracts.entries import EntryRecorded
from contracts.identifiers import parse_type_id, time_of
from contracts.invitations import InvitationMailRequested
from contracts.message import Envelope
from contracts.money import spell

ADDRESS_LENGTH_MAX: Final = 254  # RFC 5321, section 4.5.3.1.3


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of an entry's mail. `smtp_code` exactly with `refused`."""

    outcome: Literal["sent", "nothing_to_send", "refused"]
    smtp_code: int | None = None


@dataclass(frozen=True, slots=True)
class Letterhead:
    """Who writes: the sender's address and the platform's public base URL."""

    sender: str
    url: str


@dataclass(frozen=True, slots=True)
class Invitation:
    """What an invitation's mail says, and to whom it goes."""

    recipient: str
    token: str
    organization: str
    role: str
    expires_at: datetime


def entry_of_donor(entry: EntryRecorded) -> str | None:
    """The id of the entry that seals whom the mail goes to; None when there is nobody to write to.

    A refund is about the gift that it refers to, whose donor may have stayed unnamed.
    """
    text = orjson.loads(entry.entry)
    if entry.kind == "refund":
        return str(text["ref"])
    return entry.entry_id if "donor" in text else None


def amount_of(entry: EntryRecorded, money_opening: bytes | None) -> tuple[int, str]:
    """What the donor paid or got back, in minor units, and its currency: shown or opened."""
    money = orjson.loads(entry.entry)["money"]
    if "postings" not in money:
        assert money_opening is not None, "the ledger keeps the opening of all money it seals"
        money = orjson.loads(money_opening)["value"]
    income = [line for line in money["postings"] if line["account"] == "Income:Donations"]
    return abs(sum(int(line["amount"]) for line in income)), income[0]["currency"]


def recipient_of(donor: dict[str, Any]) -> str | None:
    """The donor's mail address, None when there is none that a header can hold."""
    text = donor.get("email")
    if not isinstance(text, str) or not 3 <= len(text) <= ADDRESS_LENGTH_MAX:
        return None
    try:
        address = Address(addr_spec=text)
    except (ValueError, HeaderParseError, IndexError, AttributeError):
        return None  # The last two are how the library's parser trips over some texts.
    return text if address.username and address.domain and text.isprintable() else None


def mail_of(
    message: Envelope[EntryRecorded],
    *,
    recipient: str,
    organization: str,
    amount: tuple[int, str],
    letterhead: Letterhead,
) -> EmailMessage:
    """The mail. Its Message-ID is the entry's, so that a repeated mail is known as the same."""
    entry, name = message.body, one_line(organization)
    mail = _letter(entry.entry_id, recipient, letterhead)
    mail["Date"] = format_datetime(time_of(parse_type_id("ent", entry.entry_id)))
    if entry.kind == "refund":
        mail["Subject"] = f"A refund of {name}"
        mail.set_content(
            f"{name} has given back {spell(*amount)} of your gift.\n"
            "It is on its way to what you paid with; banks take up to ten business days.\n\n"
            f"It is recorded in the ledger as entry {entry.entry_id}.\n"
        )
        return mail
    mail["Subject"] = f"Your gift to {name}"
    mail.set_content(
        f"Thank you for your gift of {spell(*amount)} to {name}.\n\n"
        f"It is recorded in the public ledger as entry {entry.entry_id}.\n"
        "Your receipt proves that, and anyone can check it without believing us:\n"
        f"{letterhead.url}/v1/donations/{entry.subject}/receipt\n"
    )
    return mail


def _letter(identifier: str, recipient: str, letterhead: Letterhead) -> EmailMessage:
    """A mail that has everything but its date, subject and text."""
    mail = EmailMessage(policy=SMTPUTF8)
    mail["From"] = letterhead.sender
    mail["To"] = recipient
    mail["Message-ID"] = f"<{identifier}@{letterhead.sender.rpartition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office answers.
    return mail


def invitation(
    message: Envelope[InvitationMailRequested], of: Invitation, *, letterhead: Letterhead
) -> EmailMessage:
    """The mail of an invitation. Its Message-ID is the invitation's, so that a repeat is known."""
    name = one_line(of.organization)
    mail = _letter(message.body.invitation, of.recipient, letterhead)
    mail["Subject"] = f"{name} invites you"
    mail["Date"] = format_datetime(message.time)
    # Behind "#" the token reaches no server and no server's log.
    mail.set_content(
        f"{name} invites you to work with it on Amply, as {of.role}.\n\n"
        "Sign in with this very address and accept here:\n"
        f"{letterhead.url}/invitations#{of.token}\n\n"
        f"The invitation ends on {of.expires_at:%Y-%m-%d}, and can be used once.\n"
        "Whoever did not expect it need do nothing.\n"
    )
    return mail


def one_line(text: str) -> str:
    """Text without line breaks and other characters that do not print."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
