"""Donations from a CSV file, posted through the edge like everybody else's.

The file is read and judged whole before anything is posted: a faulty row is named by its number and
nothing is sent. Each row's Idempotency-Key is made of the file's bytes and the row's number, so an
import that was interrupted is repeated without doubling a gift.
"""

import asyncio
import csv
import gzip
import hashlib
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from contracts.money import AMOUNT_MINOR_MAX
from deploy.client import EdgeClient, OutcomeUnknownError, RefusedByEdgeError

AMOUNT_COLUMN: Final = "amount_minor"
FAULTS_SHOWN_MAX: Final = 10


class FaultyFileError(ValueError):
    """The file cannot be imported; the text names each faulty row and what to do."""


@dataclass(frozen=True, slots=True)
class Gift:
    """One row: its number in the file (the header is row 1), the amount, the donor's alias."""

    row: int
    amount_minor: int
    donor: str


@dataclass(frozen=True, slots=True)
class GiftFile:
    """The gifts of a file and the SHA-256 of its bytes, which the idempotency keys start with."""

    digest: str
    gifts: Sequence[Gift]


@dataclass(slots=True)
class Summary:
    """What became of the rows. `refused` maps a row's number to the reason."""

    accepted: int = 0
    repeated: int = 0
    amount_minor: int = 0
    refused: dict[int, str] = field(default_factory=dict)
    donations: list[str] = field(default_factory=list)


def read(path: Path, *, limit: int | None = None) -> GiftFile:
    """Read a CSV (optionally gzip) with a column `amount_minor` and, if there, `donor`."""
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    try:
        text = (gzip.decompress(content) if path.suffix == ".gz" else content).decode("utf-8-sig")
    except (UnicodeDecodeError, OSError, EOFError) as error:
        raise FaultyFileError(f"{path.name} is not a CSV file in UTF-8 (or gzip of one)") from error
    rows = csv.DictReader(io.StringIO(text), strict=True)
    if AMOUNT_COLUMN not in (rows.fieldnames or ()):
        raise FaultyFileError(
            f"{path.name} has no column {AMOUNT_COLUMN}; name it in the first row"
        )
    gifts: list[Gift] = []
    faults: list[str] = []
    try:
        for number, row in enumerate(rows, 2):
            if limit is not None and len(gifts) >= limit:
                break
            try:
                amount_minor = parse_amount(row[AMOUNT_COLUMN] or "")
                gifts.append(Gift(number, amount_minor, (row.get("donor") or "").strip()))
            except ValueError as error:
                faults.append(f"row {number}: {error}")
    except csv.Error as error:
        raise FaultyFileError(f"{path.name}, line {rows.line_num}: {error}") from error
    if faults:
        shown = "\n".join(faults[:FAULTS_SHOWN_MAX])
        more = len(faults) - FAULTS_SHOWN_MAX
        raise FaultyFileError(shown + (f"\n... and {more} more rows" if more > 0 else ""))
    return GiftFile(digest, gifts)


def parse_amount(text: str) -> int:
    """A whole number of minor units in ASCII digits. No separators, since `1.000` is ambiguous."""
    if not (text.isascii() and text.isdigit()):
        raise ValueError(f"{text[:40]!r} is not a whole number of minor units such as 2500")
    amount_minor = int(text) if len(text) <= len(str(AMOUNT_MINOR_MAX)) else AMOUNT_MINOR_MAX + 1
    if not 0 < amount_minor <= AMOUNT_MINOR_MAX:
        raise ValueError(f"{text[:40]} is not between 1 and {AMOUNT_MINOR_MAX}")
    return amount_minor


def body_of(gift: Gift, organization: str, currency: str) -> dict[str, Any]:
    """The request for one row."""
    body: dict[str, Any] = {
        "organization": organization,
        "amount_minor": gift.amount_minor,
        "currency": currency,
        "payment_method": "pm_card_visa",
    }
    if gift.donor:
        body["donor"] = {"name": f"Donor {gift.donor}", "display": "public"}
    return body


async def post_all(
    edge: EdgeClient,
    file: GiftFile,
    *,
    organization: str,
    currency: str,
    rate_per_s: float | None,
    concurrency: int = 64,
    progress: Callable[[int], None] = lambda count: None,
) -> Summary:
    """Post every gift, at most `rate_per_s` a second, and say what became of each row."""
    summary = Summary()
    loop = asyncio.get_running_loop()
    started = loop.time()
    waiting = iter(enumerate(file.gifts))

    async def work() -> None:
        for position, gift in waiting:
            if rate_per_s:
                await asyncio.sleep(max(0.0, started + position / rate_per_s - loop.time()))
            await _post(edge, file, gift, body_of(gift, organization, currency), summary)
            progress(1)

    await asyncio.gather(*(work() for _ in range(concurrency)))
    return summary


async def _post(
    edge: EdgeClient, file: GiftFile, gift: Gift, body: dict[str, Any], summary: Summary
) -> None:
    try:
        answer = await edge.donate(body, f"import-{file.digest[:32]}-{gift.row}")
    except (RefusedByEdgeError, OutcomeUnknownError) as error:
        summary.refused[gift.row] = str(error)
        return
    summary.accepted += 1
    summary.repeated += answer.replayed
    summary.amount_minor += gift.amount_minor
    summary.donations.append(answer.donation["id"])
