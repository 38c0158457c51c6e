"""The decision of a batch: which requests become entries, wait, are refused, or are known already.

Pure: requests and state in, entries and a new state out. Rules (decisions 15 to 17):
- a request whose id is recorded is skipped; the first of equals in a batch wins;
- an organization's entries wait for its genesis, an entry with a `ref` for what it names; each is
  appended in the batch that records what it waits for, right after it;
- the two sides of a transfer wait for one another and are appended together or not at all;
- a refused request stops no other one, of its organization or of any other;
- a statement or a census is computed by the ledger itself from the log as it stands, so it is
  decided in a batch of its own, and no request from outside may be one;
- a `visibility_change` only widens: what an entry shows is never hidden again;
- an entry's time is the later of the previous entry's and the batch's clock, and a clock more than
  60 s behind the log stops the writer: something is wrong with it.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from amply_verify.entry import is_entry_id
from amply_verify.errors import EntryError, InvalidError, MoneyError
from amply_verify.kinds import KINDS
from amply_verify.money import Line
from ledger import transfers
from ledger.chain import Fund, Head, Known, LogState
from ledger.decision import Appended, Decision, Refusal, Refused, Waiting
from ledger.entry import Composed, Composer, Request, is_organization_id, spell_time
from ledger.funds import Funds
from ledger.visibility import Label, is_wider, label_asked

CLOCK_LAG_MAX: Final = timedelta(seconds=60)

#: Their figures depend on where in the log they stand, so only the writer itself can know them.
COMPUTED_KINDS: Final = frozenset(("statement", "census"))


class ClockBehindError(RuntimeError):
    """The database's clock is more than 60 s behind the last entry. Set it right, then restart."""


class _Prepared(NamedTuple):
    """A request that will be an entry: nothing can fail any more."""

    request: Request
    seq: int
    composed: Composed
    funds: dict[str, Fund]
    label: Label | None


def decide(
    requests: Iterable[Request],
    state: LogState,
    known: Known,
    clock: datetime,
    composer: Composer,
    *,
    by_ledger: bool = False,
) -> Decision:
    """Decide a batch at the database's `clock`; raises ClockBehindError and nothing else.

    `known` covers the organizations, funds, ids, references and seals of the requests. `by_ledger`
    says that the ledger itself computed them from `state`: then they are of COMPUTED_KINDS.
    """
    if state.last_time is not None and clock < state.last_time - CLOCK_LAG_MAX:
        raise ClockBehindError(f"the clock says {clock}, the last entry {state.last_time}")
    batch = _Batch(state, known, clock, composer, by_ledger)
    for request in requests:
        batch.take(request)
    return batch.decision()


class _Batch:
    def __init__(
        self,
        state: LogState,
        known: Known,
        clock: datetime,
        composer: Composer,
        by_ledger: bool,
    ) -> None:
        self._before, self._known, self._composer = state, known, composer
        self._by_ledger = by_ledger
        self._time = max(clock, state.last_time) if state.last_time else clock
        self._spelled_time = spell_time(self._time)
        self._platform = state.platform
        self._frontier = state.frontier.copy()
        self._entries: list[Appended] = []
        self._refused: list[Refusal] = []
        self._skipped: list[Request] = []
        self._waiting: defaultdict[str, list[Request]] = defaultdict(list)
        self._waiting_ids: set[str] = set()
        self._chains: dict[str, Head] = {}
        self._funds = Funds(known.funds)
        self._recorded: dict[str, Request] = {}
        self._seals: set[str] = set()
        self._balances: defaultdict[tuple[str, Line], int] = defaultdict(int)
        self._labels: dict[str, tuple[Request, Label]] = {}

    def take(self, request: Request) -> None:
        """Decide a request, then those that waited for it."""
        ready = [request]
        while ready:
            current = ready.pop()
            if self._organization_of(current.id) or current.id in self._waiting_ids:
                self._skipped.append(current)
                continue
            try:
                waits_for = self._check(current)
                if waits_for is None:
                    self._append(current)
                elif current.kind in transfers.KINDS:
                    other = self._waiting_side(current, waits_for)
                    if other is not None:
                        self._append_both(current, other)
                        ready += self._release(other)
                        waits_for = None
            except Refused as refusal:
                self._refused.append(Refusal(current, refusal.code, str(refusal)))
                continue
            if waits_for is not None:
                self._waiting[waits_for].append(current)
                self._waiting_ids.add(current.id)
                continue
            if self._waiting:
                ready += reversed(self._release(current))

    def _release(self, recorded: Request) -> list[Request]:
        released = self._waiting.pop(recorded.id, [])
        if recorded.kind == "genesis":
            released += self._waiting.pop(recorded.organization, [])
        self._waiting_ids.difference_update(item.id for item in released)
        return released

    def decision(self) -> Decision:
        """What the requests taken so far come to."""
        time = self._time if self._entries else self._before.last_time
        state = LogState(
            log=self._before.log,
            origin=self._before.origin,
            size=self._frontier.size,
            frontier=self._frontier,
            last_time=time,
            platform=self._platform,
        )
        waiting = [
            Waiting(request, waits_for)
            for waits_for, requests in self._waiting.items()
            for request in requests
        ]
        return Decision(
            entries=self._entries,
            waiting=waiting,
            refused=self._refused,
            skipped=self._skipped,
            time=self._time,
            state=state,
            chains=self._chains,
            funds=self._funds.changed,
            balances={(owner, *line): amount for (owner, line), amount in self._balances.items()},
            labels=self._labels,
        )

    def _organization_of(self, id: str) -> str | None:  # noqa: A002 - the field's name
        own = self._recorded.get(id)
        return self._known.recorded.get(id) if own is None else own.organization

    def _head_of(self, organization: str) -> Head | None:
        return self._chains.get(organization) or self._known.chains.get(organization)

    def _check(self, request: Request) -> str | None:
        """What the request waits for, if anything; raises Refused."""
        kind = KINDS.get(request.kind)
        if kind is None:
            raise Refused("unknown_kind", "the ledger has no entries of this kind")
        if not is_organization_id(request.organization) or not is_entry_id(request.id):
            raise Refused("malformed_entry", "the organization's or the entry's id is malformed")
        if (request.kind in COMPUTED_KINDS) != self._by_ledger:
            raise Refused("computed_kind", "the ledger computes statements and censuses itself")
        head = self._head_of(request.organization)
        if request.kind == "genesis":
            if head is not None:
                raise Refused("second_genesis", "the organization has a genesis already")
            if (request.details or {}).get("origin") != self._before.origin:
                raise Refused("wrong_log", "the genesis names another log")
            return None
        if head is None:
            return request.organization
        if head.log != self._before.log:
            raise Refused("wrong_log", "the organization's entries belong to another log")
        if kind.platform and request.organization != self._platform:
            raise Refused("platform_only", f"a {request.kind} is the platform's to record")
        if request.kind in transfers.KINDS:
            return self._other_side(request)
        return self._check_reference(request)

    def _other_side(self, request: Request) -> str:
        try:
            return transfers.other_side(request)
        except transfers.TransferError as error:
            raise Refused("malformed_transfer", str(error)) from error

    def _waiting_side(self, request: Request, other_id: str) -> Request | None:
        """The other side of a transfer, if it waits for this one; it waits no longer."""
        waiting = self._waiting.get(request.id, [])
        for place, other in enumerate(waiting):
            if other.id == other_id:
                self._waiting_ids.discard(other_id)
                return waiting.pop(place)
        return None

    def _append_both(self, one: Request, other: Request) -> None:
        try:
            giver, taker = transfers.in_order(one, other)
            out, into = self._prepare(giver), self._prepare(taker)
            transfers.check(giver, out.composed.postings, taker, into.composed.postings)
            if out.funds.keys() & into.funds.keys():
                raise Refused("foreign_fund", "both sides name one fund, which is one's only")
        except transfers.TransferError as error:
            self._refused.append(Refusal(other, "unmatched_transfer", str(error)))
            raise Refused("unmatched_transfer", str(error)) from error
        except Refused as refusal:
            self._refused.append(Refusal(other, refusal.code, f"a side of the transfer: {refusal}"))
            raise
        self._place(out)
        self._place(into)

    def _check_reference(self, request: Request) -> str | None:
        if request.ref is None:
            return None
        if request.ref == request.id:
            raise Refused("refers_to_itself", "an entry can only refer to an earlier one")
        if not is_entry_id(request.ref):
            raise Refused("malformed_entry", "the reference is no entry's id")
        owner = self._organization_of(request.ref)
        if owner is not None and owner != request.organization:
            raise Refused("foreign_reference", "the entry referred to is another organization's")
        return None if owner else request.ref

    def _append(self, request: Request) -> None:
        self._place(self._prepare(request))

    def _prepare(self, request: Request) -> _Prepared:
        """Compose and check; raises Refused."""
        head = self._head_of(request.organization)
        seq, prev = (head.seq + 1, head.leaf_hash.hex()) if head else (0, None)
        try:
            composed = self._composer.compose(request, seq, prev, self._spelled_time)
        except MoneyError as error:
            raise Refused("malformed_money", str(error)) from error
        except InvalidError as error:
            raise Refused("malformed_entry", str(error)) from error
        funds = self._funds.check(request.organization, composed.postings, self._balances)
        label = self._check_label(request) if request.kind == "visibility_change" else None
        if request.donor is not None:
            seal = request.donor.seal
            if seal in self._seals or seal in self._known.seals:
                raise Refused("seal_used_twice", "every entry needs a donor seal of its own")
            self._seals.add(seal)
        return _Prepared(request, seq, composed, funds, label)

    def _place(self, prepared: _Prepared) -> None:
        request, seq, composed, funds, label = prepared
        organization, index, leaf = request.organization, self._frontier.size, composed.leaf_hash
        self._entries.append(Appended(index, seq, request, composed))
        if index == 0:
            self._platform = organization
        self._frontier.append(leaf)
        self._chains[organization] = Head(self._before.log, seq, leaf)
        self._recorded[request.id] = request
        if funds:
            self._funds.changed |= funds
        if label is not None and request.ref is not None:
            self._labels[request.ref] = (request, label)
        for line, amount_minor in composed.postings:
            self._balances[organization, line] += amount_minor

    def _check_label(self, request: Request) -> Label:
        """The label that a composed `visibility_change` gives; raises Refused."""
        try:
            label = label_asked(request.details or {})
        except EntryError as error:
            raise Refused("malformed_entry", str(error)) from error
        assert request.ref is not None, "the kind requires a reference, and the entry is composed"
        if not is_wider(label, self._label_of(request.ref)):
            raise Refused("visibility_not_wider", "the entry shows as much as that already")
        return label

    def _label_of(self, entry: str) -> Label:
        if entry in self._labels:
            return self._labels[entry][1]
        if entry in self._known.labels:
            return self._known.labels[entry]
        own = self._recorded[entry]
        return Label(own.visibility, own.public_after)
