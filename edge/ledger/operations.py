"""What the API offers of an organization's entries, to anyone and to members."""

from typing import Final

from edge.access import PUBLIC, Access
from edge.ledger.models import EntryOpenings, EntryText, LedgerEntry, LedgerPage
from edge.operation import ALWAYS, ORGANIZATION, SLUG, WITH_KEY, Operation, choice, parameter

_ENTRY: Final = parameter("entry", "path", "The entry's `ent_…` id.", {"type": "string"})
_CURSOR: Final = choice("cursor", "next_cursor of the page before.")
_LIMIT: Final = parameter(
    "limit",
    "query",
    "Entries on a page.",
    {"type": "integer", "minimum": 1, "maximum": 100, "default": 50},
)
_IF_NONE_MATCH: Final = parameter(
    "If-None-Match", "header", "An ETag: 304 when nothing changed.", {"type": "string"}
)

LEDGER: Final = (
    Operation(
        method="get",
        path="/v1/public/organizations/{slug}/ledger",
        identifier="listPublicLedger",
        summary="An organization's entries, oldest first.",
        status=200,
        access=PUBLIC,
        answer=LedgerPage,
        parameters=(SLUG, _CURSOR, _LIMIT, _IF_NONE_MATCH),
        headers=("ETag",),
        problems=("organization_not_found", "query_not_accepted", *ALWAYS),
    ),
    Operation(
        method="get",
        path="/v1/public/organizations/{slug}/ledger/entries/{entry}",
        identifier="showPublicEntry",
        summary="An entry as the log has it. It never changes.",
        status=200,
        access=PUBLIC,
        answer=EntryText,
        parameters=(SLUG, _ENTRY, _IF_NONE_MATCH),
        headers=("ETag",),
        problems=("organization_not_found", "entry_not_found", "query_not_accepted", *ALWAYS),
    ),
    Operation(
        method="get",
        path="/v1/public/organizations/{slug}/ledger/entries/{entry}/openings",
        identifier="showPublicOpenings",
        summary="What everybody may see by now of what the entry seals.",
        status=200,
        access=PUBLIC,
        answer=EntryOpenings,
        parameters=(SLUG, _ENTRY, _IF_NONE_MATCH),
        headers=("ETag",),
        problems=("organization_not_found", "entry_not_found", "query_not_accepted", *ALWAYS),
    ),
    Operation(
        method="get",
        path="/v1/organizations/{organization}/ledger",
        identifier="listLedger",
        summary="Entries, oldest first, with the openings that the key may see.",
        status=200,
        answer=LedgerPage,
        access=Access(scope="ledger:read", permission="view_public_ledger"),
        parameters=(ORGANIZATION, _CURSOR, _LIMIT, _IF_NONE_MATCH),
        headers=("ETag",),
        problems=(
            "organization_not_found",
            "query_not_accepted",
            "permissions_unavailable",
            *WITH_KEY,
        ),
    ),
    Operation(
        method="get",
        path="/v1/organizations/{organization}/ledger/entries/{entry}",
        identifier="showEntry",
        summary="One entry, with the openings that the key may see.",
        status=200,
        answer=LedgerEntry,
        access=Access(scope="ledger:read", permission="view_public_ledger"),
        parameters=(ORGANIZATION, _ENTRY, _IF_NONE_MATCH),
        headers=("ETag",),
        problems=(
            "organization_not_found",
            "entry_not_found",
            "query_not_accepted",
            "permissions_unavailable",
            *WITH_KEY,
        ),
    ),
)
