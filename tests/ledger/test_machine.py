"""A ledger in memory that a machine appends to, publishes, proves, re-labels and erases from.

Whatever the order, everything that outsiders ever kept goes on to verify: receipts, exports,
checkpoints. Erasing changes no hash; what was published is a prefix of what follows.
"""

import io
from collections import Counter, defaultdict
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from amply_verify import canonical, entry, tree
from amply_verify.audit import Kept, audit_log
from amply_verify.canonical import to_base64
from amply_verify.export import Memory, verify_export
from amply_verify.note import Signer, open_checkpoint
from amply_verify.receipt import verify_receipt
from amply_verify.tiles import TileTree, tile_path
from amply_verify.trust import Trust
from ledger import export, receipt
from ledger.checkpoint import sign
from ledger.decision import Decision
from ledger.entry import DonorSeal, Request
from ledger.export_entry import StoredEntry
from ledger.tiles import Growth
from tests.ledger.making import ORIGIN, Book, donation, genesis, name, refund

PLATFORM, A, B = (name("org", letter) for letter in "PAB")
SIGNER = Signer(ORIGIN, b"\7" * 32)
TRUST = Trust(SIGNER.key)
VISIBILITIES = ("public_full", "public_aggregated", "delayed_public", "internal_only")
#: The order in which a label may widen; a label never narrows.
WIDER = ("internal_only", "public_aggregated", "delayed_public", "public_full")


class LedgerMachine(RuleBasedStateMachine):
    """`openings` are what the ledger keeps outside the log, by entry and section."""

    gifts: Bundle[Request] = Bundle("gifts")

    def __init__(self) -> None:
        super().__init__()
        self.book = Book()
        self.growth = Growth()
        self.files: dict[str, bytes] = {}
        self.openings: defaultdict[str, dict[str, bytes]] = defaultdict(dict)
        self.places: dict[str, int] = {}
        self.labels: dict[str, str] = {}
        self.erased: set[str] = set()
        self.notes: list[str] = []
        self.receipts: list[bytes] = []
        self.heads: dict[str, Any] = {}
        self.sums: Counter[tuple[str, str]] = Counter()
        self.number = 0

    @initialize()
    def begin(self) -> None:
        self.append(*(genesis(one) for one in (PLATFORM, A, B)))
        self.publish()

    def append(self, *requests: Request) -> Decision:
        decision = self.book.decide(requests)
        assert [one.request for one in decision.entries] == list(requests), decision.refused
        for one in decision.entries:
            self.places[one.request.id] = one.index
            for opening in one.composed.openings:
                if opening.plain is not None:
                    self.openings[one.request.id][opening.section] = opening.plain
            for line, amount_minor in one.composed.postings:
                self.sums[one.request.organization, line.account] += amount_minor
        return decision

    def next(self) -> int:
        self.number += 1
        return self.number

    @rule(
        target=gifts,
        organization=st.sampled_from((A, B)),
        visibility=st.sampled_from(VISIBILITIES),
        amount_minor=st.integers(1, 10**12),
        donor=st.booleans(),
    )
    def give(self, organization: str, visibility: str, amount_minor: int, donor: bool) -> Request:
        number = self.next()
        sealed = None
        if donor:
            salt, value = number.to_bytes(32), {"name": f"Donor {number}"}
            seal = entry.seal("donor", salt, canonical.encode(value))
            sealed = DonorSeal(name("prof", number), seal, "QUJD")
        day = "2030-01-01T00:00:00.000000Z" if visibility == "delayed_public" else None
        request = donation(
            *(organization, number, amount_minor),
            visibility=visibility,
            public_after=day,
            donor=sealed,
        )
        self.append(request)
        self.labels[request.id] = visibility
        if sealed is not None:
            opening = {"salt": to_base64(salt), "value": value}
            self.openings[request.id]["donor"] = canonical.encode(opening)
        return request

    @rule(gift=gifts)
    def give_back(self, gift: Request) -> None:
        of = f"refund {self.next()}"
        self.append(refund(gift.organization, of, gift.id, visibility=VISIBILITIES[3]))

    @rule(gift=gifts)
    def show_more(self, gift: Request) -> None:
        """A label widens as far as it goes, and not once more."""
        widest = WIDER[-1]
        change = self.note(gift, "visibility_change", to=widest)
        if self.labels[gift.id] == widest:
            return
        self.append(change)
        self.labels[gift.id] = widest

    @rule(gift=gifts)
    def erase(self, gift: Request) -> None:
        if "donor" in self.openings[gift.id]:
            del self.openings[gift.id]["donor"]
            self.append(self.note(gift, "erasure", sections=["donor"], basis="gdpr-17"))
            self.erased.add(gift.id)

    def note(self, gift: Request, kind: str, **details: Any) -> Request:
        return donation(
            *(gift.organization, f"{kind} {self.next()}"),
            kind=kind,
            ref=gift.id,
            details=details,
            postings=None,
            donor=None,
            subject=None,
        )

    @rule()
    def publish(self) -> None:
        added = self.book.entries[self.growth.size :]
        for file in self.growth.extend(added):
            self.files[file.path] = file.data
        assert self.growth.root() == self.book.state.frontier.root()
        note = sign([SIGNER], self.growth.size, self.growth.root())
        self.notes.append(note)
        self.files["checkpoint"] = note.encode()

    def tree(self) -> TileTree:
        size = self.growth.size
        return TileTree(size, lambda *tile: self.files[tile_path(*tile)])

    @rule(gift=gifts)
    def write_receipt(self, gift: Request) -> None:
        index = self.places[gift.id]
        if index >= self.growth.size:
            self.publish()
        proof = self.tree().prove_inclusion(index)
        data, openings = self.book.entries[index], self.openings[gift.id]
        self.receipts.append(receipt.render(data, openings, index, proof, self.notes[-1]))

    @rule(data=st.data())
    def prove_that_an_old_size_is_a_prefix(self, data: st.DataObject) -> None:
        old, _ = open_checkpoint(data.draw(st.sampled_from(self.notes)), SIGNER.key)
        new, _ = open_checkpoint(self.notes[-1], SIGNER.key)
        proof = self.tree().prove_consistency(old.size)
        tree.verify_consistency(old.size, old.root, new.size, new.root, proof)

    @rule(organization=st.sampled_from((A, B)), is_complete=st.booleans(), data=st.data())
    def export(self, organization: str, is_complete: bool, data: st.DataObject) -> None:
        if is_complete:
            self.publish()
        size = self.growth.size
        chain = [
            (index, value["id"], spelled)
            for index, spelled in enumerate(self.book.entries[:size])
            if (value := canonical.parse(spelled))["org"] == organization
        ]
        old = data.draw(st.sampled_from(self.notes))
        old_size = open_checkpoint(old, SIGNER.key)[0].size
        index = chain[-1][0]
        text = export.first_line(
            *(organization, len(chain), index, self.notes[-1], self.tree(), old_size)
        )
        for index, identifier, spelled in chain:
            text += export.line(StoredEntry(index, spelled), self.openings[identifier])
        report = verify_export(
            io.BytesIO(text), TRUST, organization, Memory(old, self.heads.get(organization))
        )
        self.heads[organization] = report.head
        ids = {identifier for _, identifier, _ in chain}
        erasures = [one for one in self.book.entries[:size] if b'"kind":"erasure"' in one]
        seen = {canonical.parse(one)["ref"] for one in erasures}
        assert report.figures.donors_erased == len(self.erased & ids & seen)
        if size == self.book.state.size:
            amounts: Counter[str] = Counter()
            for line, amount_minor in report.figures.balances_minor().items():
                amounts[line.account] += amount_minor
            assert amounts == {
                account: amount
                for (org, account), amount in self.sums.items()
                if org == organization
            }

    @invariant()
    def what_was_kept_still_verifies(self) -> None:
        for kept in self.receipts[-5:]:
            verify_receipt(kept, TRUST)

    def teardown(self) -> None:
        if self.notes:
            audit_log(self.files.get, TRUST, Kept(checkpoints=self.notes))
            for kept in self.receipts:
                verify_receipt(kept, TRUST)


LedgerMachine.TestCase.settings = settings(
    max_examples=80,
    stateful_step_count=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],  # A busy machine is no fault of the ledger.
)
TestLedger = LedgerMachine.TestCase
