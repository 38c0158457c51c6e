"""An outsider's audit of entries that were never published: signed and laid out as files here."""

from collections.abc import Sequence

from amply_verify.audit import LogReport, audit_log
from amply_verify.note import Signer
from amply_verify.trust import Trust
from ledger.checkpoint import sign
from ledger.tiles import Growth
from tests.ledger.making import ORIGIN


def audit(entries: Sequence[bytes]) -> LogReport:
    """The report on a log of these entries; raises RefusedError."""
    signer, growth = Signer(ORIGIN, bytes(32)), Growth()
    files = {file.path: file.data for file in growth.extend(entries)}
    files["checkpoint"] = sign([signer], growth.size, growth.root()).encode()
    return audit_log(files.get, Trust(signer.key))
