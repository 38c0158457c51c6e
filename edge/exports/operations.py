"""The operations of exports: for anyone and for keys, each a copy and its manifest."""

from typing import Final

from amply_verify.kinds import KINDS as ENTRY_KINDS
from edge.access import PUBLIC, Access, Public
from edge.exports.models import ExportManifest
from edge.operation import ALWAYS, ORGANIZATION, SLUG, WITH_KEY, Operation, choice, parameter
from ledger.export_copy import FORMATS, KINDS

_PINNED: Final = (
    parameter(
        "format",
        "query",
        "`jsonl` is for `amply-verify export`.",
        {"type": "string", "enum": list(FORMATS), "default": "jsonl"},
    ),
    parameter(
        "size",
        "query",
        "As a published checkpoint has it; the newest if left out.",
        {"type": "integer", "minimum": 1},
    ),
    parameter(
        "at",
        "query",
        "Delayed entries are open as of this time; now if left out.",
        {"type": "string", "format": "date-time"},
    ),
    parameter(
        "since",
        "query",
        "JSONL: also prove that the tree of this size is a prefix.",
        {"type": "integer", "minimum": 0},
    ),
    parameter(
        "kind",
        "query",
        "CSV: rows of entries of this kind alone.",
        {"type": "string", "enum": sorted(ENTRY_KINDS)},
    ),
    choice("bom", "CSV: begin with a byte-order mark, for spreadsheets that need one.", "true"),
)
_OFFSET: Final = parameter(
    "offset",
    "query",
    "Continue a copy from this byte on; needs the query of its Content-Location.",
    {"type": "integer", "minimum": 0, "default": 0},
)


def _exports(
    path: str, name: str, openings: str, problems: tuple[str, ...], access: Access | Public = PUBLIC
) -> tuple[Operation, Operation]:
    """The two operations of a copy: its bytes and its manifest."""
    named = SLUG if access is PUBLIC else ORGANIZATION
    return (
        Operation(
            method="get",
            path=path,
            identifier=f"export{name}",
            summary=f"The whole chain up to a checkpoint, with {openings}.",
            status=200,
            answer=tuple(sorted({kind.media_type for kind in KINDS.values()})),
            access=access,
            parameters=(named, *_PINNED, _OFFSET),
            headers=("Amply-Entries", "Content-Disposition", "Content-Location"),
            problems=problems,
        ),
        Operation(
            method="get",
            path=f"{path}/manifest",
            identifier=f"show{name}ExportManifest",
            summary="How many bytes a copy has, their SHA-256, and what its entries add up to.",
            status=200,
            answer=ExportManifest,
            access=access,
            parameters=(named, *_PINNED),
            problems=problems,
        ),
    )


EXPORTS: Final = (
    *_exports(
        "/v1/public/organizations/{slug}/ledger/export",
        "PublicLedger",
        "what is public by now",
        ("organization_not_found", "not_yet_covered", "query_not_accepted", *ALWAYS),
    ),
    *_exports(
        "/v1/organizations/{organization}/ledger/export",
        "Ledger",
        "all money and details",
        (
            "organization_not_found",
            "permission_denied",
            "not_yet_covered",
            "query_not_accepted",
            "permissions_unavailable",
            *WITH_KEY,
        ),
        access=Access(scope="exports", permission="export_ledger"),
    ),
)
