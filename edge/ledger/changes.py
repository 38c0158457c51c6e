"""How a change of visibility is asked for. Pure: the message; whoever may ask queues it.

Its id comes from the entry and the label, so asking twice asks once.
"""

from contracts.entries import EntryRequested
from contracts.identifiers import business_id, parse_type_id, time_of
from contracts.message import Envelope
from ledger.visibility import Label, details_of
from topics.registry import ENTRIES_REQUESTED


def visibility_change(organization: str, entry: str, label: Label) -> Envelope[EntryRequested]:
    """The request to give an entry of the organization this label; the writer refuses a narrower.

    ValueError when `entry` is no `ent_…`.
    """
    created = time_of(parse_type_id("ent", entry))
    key = f"{entry}:visibility:{label.visibility}:{label.public_after or ''}"
    return Envelope(
        id=business_id(created, key),
        type=ENTRIES_REQUESTED.name,
        time=created,
        organization=organization,
        cause=None,
        body=EntryRequested(
            kind="visibility_change",
            visibility="public_full",
            ref=entry,
            details=details_of(label),
        ),
    )
