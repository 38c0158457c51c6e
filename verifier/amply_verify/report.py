"""What the command prints: a few lines for people, one object for programs.

Nothing out of a file reaches a terminal as it is: control characters and those that turn the
direction of writing are shown as escapes.
"""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from amply_verify.audit import LogReport
from amply_verify.export import ExportReport
from amply_verify.figures import Figures
from amply_verify.history import Comparison
from amply_verify.monitor import OK, Outcome, proof_fields
from amply_verify.note import Cosignature
from amply_verify.receipt import ReceiptReport
from amply_verify.trust import Signed

VerifiedReport = ReceiptReport | ExportReport | LogReport
Report = VerifiedReport | Comparison


class Answer(NamedTuple):
    """What a command found, for programs and for people; the first word of the lines says it."""

    verified: bool
    value: dict[str, Any]
    lines: list[str]


_HIDDEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff"
    "\ud800-\udfff]"
)


def printable(text: str) -> str:
    """`text` with control, bidirectional and unpaired characters shown as escapes."""
    return _HIDDEN.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def answer(report: Report, now: datetime) -> Answer:
    """What to print of a verified report, or of two checkpoints that were compared."""
    if isinstance(report, Comparison):
        return _answer_comparison(report)
    value = _common_fields(report, now)
    lines = [f"verified: {_headline(report)}", *_cosigned(report.signed, now)]
    if isinstance(report, ReceiptReport):
        value |= _receipt_fields(report)
        lines += _receipt_lines(report)
    elif isinstance(report, ExportReport):
        value |= _export_fields(report)
        lines += _export_lines(report)
    else:
        value |= {
            "organizations": report.organizations,
            "censuses": report.censuses,
            "older_checkpoints": report.older,
            "witnessed_size": report.witnessed,
            "compared": report.claims,
        }
        if report.witnessed is not None:
            lines.append(f"  its witnesses have seen {report.witnessed} of its entries")
    return Answer(True, value, lines)


def answer_balances(report: ExportReport, now: datetime) -> Answer:
    """The balances of a verified export as a table."""
    figures = report.figures
    value = _common_fields(report, now) | _export_fields(report)
    rows = [("fund", "account", "currency", "minor units")]
    rows += [
        (line.fund, line.account, line.currency, str(amount_minor))
        for line, amount_minor in figures.balances_minor().items()
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [f"verified: {_headline(report)}"]
    for fund, account, currency, amount in rows:
        lines.append(
            f"  {fund:<{widths[0]}}  {account:<{widths[1]}}  {currency:<{widths[2]}}"
            f"  {amount:>{widths[3]}}"
        )
    if figures.partial:
        lines.append("  partial: without money that is sealed")
    return Answer(True, value, lines + _unseen_lines(figures))


def answer_outcome(outcome: Outcome, origin: str) -> Answer:
    """What a monitor found."""
    value = {"verified": outcome.reason == OK, "reason": outcome.reason, "origin": origin}
    value |= {
        name: getattr(outcome, name) for name in ("message", "size", "step", "seq", "evidence")
    }
    value["index"] = outcome.place
    return Answer(outcome.reason == OK, value, [f"{outcome.reason}: {outcome.message}"])


def _answer_comparison(compared: Comparison) -> Answer:
    smaller, larger = compared.smaller, compared.larger
    sizes = smaller.checkpoint.size, larger.checkpoint.size
    value: dict[str, Any] = {
        "verified": not compared.forked,
        "step": "A6" if compared.forked else None,
        "seq": None,
        "origin": larger.checkpoint.origin,
        "smaller": {"from": smaller.name, "size": sizes[0]},
        "larger": {"from": larger.name, "size": sizes[1]},
        "fork": compared.forked,
    }
    if compared.forked:
        message = f"a fork: two signed checkpoints with different first {sizes[0]} entries"
        value |= {"notes": [smaller.note, larger.note]} | proof_fields(compared)
        lines = [f"refused at step A6: {message}; both, as proof, follow"]
        for side in (smaller, larger):
            lines += [f"--- {side.name}", *side.note.rstrip("\n").split("\n")]
        lines += [f"--- root at size {sizes[0]} in the second one's history, and its proof"]
        lines += [value["root_at_smaller_size"], *value["consistency_proof"]]
    else:
        message = f"one history: {larger.name} ({sizes[1]} entries)"
        message += f" goes on from {smaller.name} ({sizes[0]} entries)"
        if sizes[0] == sizes[1]:
            message = f"one history: {smaller.name} and {larger.name} both have {sizes[0]} entries"
        lines = [f"verified: {message}"]
    return Answer(not compared.forked, value | {"message": message}, lines)


def _common_fields(report: VerifiedReport, now: datetime) -> dict[str, Any]:
    return {
        "verified": True,
        "step": None,
        "seq": None,
        "message": _headline(report),
        "origin": report.signed.checkpoint.origin,
        "size": report.signed.checkpoint.size,
        "cosignatures": [
            {"witness": who.name, "time": _moment(who.time_s), "age_s": _age_s(who, now)}
            for who in report.signed.cosignatures
        ],
    }


def _headline(report: VerifiedReport) -> str:
    checkpoint = report.signed.checkpoint
    where = f"{checkpoint.origin}, a log of {checkpoint.size} entries"
    if isinstance(report, ReceiptReport):
        return f"{report.entry.kind} {report.entry.id} is entry {report.index} of {where}"
    if isinstance(report, ExportReport):
        return f"{report.entries} entries of {report.org}, one unbroken chain in {where}"
    return f"{where} of {report.organizations} organizations, {report.censuses} censuses right"


def _receipt_fields(report: ReceiptReport) -> dict[str, Any]:
    entry = report.entry
    return {
        "index": report.index,
        "entry": {
            "id": entry.id,
            "org": entry.org,
            "seq": entry.seq,
            "kind": entry.kind,
            "time": entry.time,
            "visibility": entry.visibility,
            "ref": entry.ref,
        },
        "postings": [
            {**line._asdict(), "amount": str(amount_minor)}
            for line, amount_minor in (report.postings.amounts_minor if report.postings else ())
        ],
        "opened": report.opened,
        "not_opened": sorted(entry.seals.keys() - report.opened.keys()),
    }


def _export_fields(report: ExportReport) -> dict[str, Any]:
    figures = report.figures
    return {
        "org": report.org,
        "entries": report.entries,
        "head": report.head._asdict(),
        "census": report.census_given,
        "balances": [
            {**line._asdict(), "amount": str(amount_minor)}
            for line, amount_minor in figures.balances_minor().items()
        ],
        "partial": figures.partial,
        "unseen": {
            "sealed_money": dict(sorted(figures.sealed_money.items())),
            "overdue": figures.overdue,
            "donors_erased": figures.donors_erased,
            "donors_not_given": figures.donors_not_given,
        },
    }


def _receipt_lines(report: ReceiptReport) -> list[str]:
    entry = report.entry
    lines = [f"  recorded {entry.time} for {entry.org}, seq {entry.seq}, {entry.visibility}"]
    if report.postings is not None:
        lines += [
            f"  {line.account} {amount_minor} {line.currency} (minor units), {line.fund}"
            for line, amount_minor in report.postings.amounts_minor
        ]
    for section in ("details", "donor"):
        value = entry.shown.get(section) or report.opened.get(section)
        if value:
            lines.append(f"  {section}: {_plain(value)}")
    hidden = sorted(entry.seals.keys() - report.opened.keys())
    if hidden:
        lines.append(f"  not seen, sealed: {', '.join(hidden)}")
    return lines


def _export_lines(report: ExportReport) -> list[str]:
    figures = report.figures
    title = "balances (minor units)"
    if figures.partial:
        title = "partial balances, without money that is sealed (minor units)"
    lines = [f"  {title}:"]
    lines += [
        f"    {line.fund} {line.account} {amount_minor} {line.currency}"
        for line, amount_minor in figures.balances_minor().items()
    ]
    lines += _unseen_lines(figures)
    if not report.census_given:
        lines.append("  no census given: newer entries of this chain may have been left out")
    lines.append(f"  head to keep: {json.dumps(report.head._asdict())}")
    return lines


def _unseen_lines(figures: Figures) -> list[str]:
    lines = []
    if figures.partial:
        sealed = ", ".join(f"{n} {name}" for name, n in sorted(figures.sealed_money.items()))
        lines.append(f"  not seen, sealed money of: {sealed}")
    if figures.overdue:
        lines.append(f"  overdue: {figures.overdue} delayed entries are past their day, not opened")
    if figures.donors_erased or figures.donors_not_given:
        lines.append(
            f"  not seen, donors: {figures.donors_erased} erased,"
            f" {figures.donors_not_given} not given"
        )
    return lines


def _cosigned(signed: Signed, now: datetime) -> list[str]:
    return [
        f"  cosigned by {who.name} at {_moment(who.time_s)}, {_age_s(who, now) // 3600} hours ago"
        for who in signed.cosignatures
    ]


def _age_s(who: Cosignature, now: datetime) -> int:
    return int(now.timestamp()) - who.time_s


def _moment(time_s: int) -> str:
    try:
        return datetime.fromtimestamp(time_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return f"second {time_s} of the epoch"


def _plain(value: Mapping[str, Any] | Sequence[Any]) -> str:
    """A value as a person would note it; strings keep their characters, `printable` comes after."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_plain_item(item)}" for name, item in value.items())
    return ", ".join(_plain_item(item) for item in value)


def _plain_item(item: object) -> str:
    if isinstance(item, dict | list):
        return f"({_plain(item)})"
    return "none" if item is None else str(item)
