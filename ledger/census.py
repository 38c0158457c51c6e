"""The census: once a day, how many chains the log has and a tree over their heads.

Rules (ledger format, section 5): the leaves are the canonical bytes of every organization's last
entry, sorted by organization, as the log stood before the census itself; the platform's
organization records it. Its id derives from log and day (UTC): a second attempt is a duplicate.
"""

from datetime import UTC, date, datetime, time
from typing import Final

from amply_verify.tree import leaf_hash
from contracts.identifiers import business_id, type_id
from ledger.entry import Request

KIND: Final = "census"


def member_leaf(organization: str, seq: int, head: bytes) -> bytes:
    """The leaf hash of a chain in a census; `head` is the leaf hash of its entry `seq`."""
    spelled = f'{{"head":"{head.hex()}","org":"{organization}","seq":{seq}}}'
    return leaf_hash(spelled.encode())


def day_due(now: datetime, last: datetime | None) -> date | None:
    """The day whose census is due; `last` is the time of the last census or of the first entry.

    None while the log is empty, and on the day of `last`: the first census comes a day after the
    first entry.
    """
    today = now.astimezone(UTC).date()
    return today if last is not None and today > last.astimezone(UTC).date() else None


def request(log: int, platform: str, day: date, organizations: int, root: bytes) -> Request:
    """The census of a day; `root` is over the `organizations` members."""
    start = datetime.combine(day, time(), UTC)
    return Request(
        id=type_id("ent", business_id(start, f"{KIND}:{log}:{day.isoformat()}")),
        organization=platform,
        kind=KIND,
        visibility="public_full",
        public_after=None,
        ref=None,
        subject=f"{KIND}:{log}:{day.isoformat()}",
        postings=None,
        details={"orgs": organizations, "root": root.hex()},
        donor=None,
    )
