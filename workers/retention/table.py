"""What is kept of people and requests, how long, why, and who deletes it: the written table.

`deploy/RETENTION.md` is made of it (`make generate`). Every table of the database that has a time
is in it, also those that hold no person: so that a new one cannot be forgotten.

Rule: a row of the job `retention` is deleted once what `since` says lies `kept` back and
`condition` holds, by the time that the process is given. Other jobs are named, with where they are.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

FOR_EVER: Final = None
_DAY: Final = timedelta(days=1)
_YEAR: Final = 365 * _DAY


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing that is kept. `since` is SQL over the table's columns; `kept` None: for ever."""

    table: str
    what: str
    kept: timedelta | None
    why: str
    job: str
    since: str = ""
    condition: str = "true"
    spelled: str = ""

    @property
    def how_long(self) -> str:
        """How long, in words."""
        if self.spelled:
            return self.spelled
        return "for ever" if self.kept is None else f"{self.kept.days} days"


#: Of persons, or of what they asked.
PERSONAL: Final = (
    Rule(
        "edge.donor_profiles",
        "a donor's key, under which all that is known of them is, and a keyed hash of the address",
        _YEAR,
        "a person of whom no gift came, nor still may, is nobody's donor; of others: until they"
        " ask to be forgotten, since gifts are kept for ever",
        "retention (erases, with a line in the journal)",
        spelled="365 days without a gift that came",
    ),
    Rule(
        "edge.donor_gifts",
        "which gift is whose, and how the donor wants to be shown",
        FOR_EVER,
        "an erasure must find the gifts",
        "erasure",
        spelled="as long as the profile",
    ),
    Rule(
        "edge.consents",
        "what a donor agreed to be sent, every answer",
        FOR_EVER,
        "consent must be proved (GDPR article 7)",
        "erasure",
        spelled="as long as the profile",
    ),
    Rule(
        "edge.erasure_requests",
        "that a profile was to be forgotten: random ids",
        3 * _YEAR,
        "so that it can be shown that the request was met",
        "retention",
        since="done_at",
        condition="done_at IS NOT NULL",
    ),
    Rule(
        "edge.requests",
        "Idempotency-Keys with a keyed hash of the request, and the answer, encrypted",
        FOR_EVER,
        "a key never makes a second gift, however late; an erasure replaces the hash",
        "erasure",
    ),
    Rule(
        "edge.refund_requests",
        "who asked for a refund, when and why, as a code",
        FOR_EVER,
        "part of the books; a key never makes a second refund",
        "none",
    ),
    Rule(
        "edge.stripe_events",
        "Stripe's webhooks, encrypted: they may hold billing details",
        30 * _DAY,
        "until then an account whose access was revoked can be booked from them",
        "retention",
        since="received_at",
    ),
    Rule(
        "edge.people",
        "who signs in: name and address, encrypted under the person's key",
        FOR_EVER,
        "members and staff, until they ask to be forgotten; the id stays for what names it",
        "erasure (edge.forget_person)",
    ),
    Rule(
        "edge.person_erasures",
        "that a person was to be forgotten: random ids",
        3 * _YEAR,
        "so that it can be shown that the request was met",
        "retention",
        since="done_at",
        condition="done_at IS NOT NULL",
    ),
    Rule(
        "edge.sessions",
        "sign-ins, with the browser's name, encrypted",
        30 * _DAY,
        "so that a person sees where they were signed in; then it serves nobody",
        "retention",
        since="least(expires_at, coalesce(revoked_at, expires_at))",
        spelled="30 days after their end",
    ),
    Rule(
        "edge.invitations",
        "a keyed hash of who was invited; the address itself, encrypted, only until it is over",
        30 * _DAY,
        "so that who invited sees what came of it; who is a member is kept elsewhere",
        "retention",
        since="least(expires_at, CASE WHEN status <> 'open' THEN updated_at END)",
        spelled="30 days after their end",
    ),
    Rule(
        "edge.members",
        "who is or was what in an organization: ids of persons",
        FOR_EVER,
        "who could do what at which time must be explained; a person who is forgotten is an id",
        "none",
    ),
    Rule(
        "edge.hits",
        "keyed hashes of addresses, counted against card testing",
        timedelta(minutes=1),
        "a limit looks back an hour at most; the table is in no log and no backup",
        "edge (edge/limits/service.py)",
        spelled="a minute after the limit's window",
    ),
    Rule(
        "payments.card_declines",
        "keyed hashes of declined cards",
        timedelta(hours=1),
        "a limit looks back an hour; the table is in no log and no backup",
        "payments (workers/payments/cards.py)",
        spelled="an hour",
    ),
    Rule(
        "payments.attempts",
        "each try to collect a gift; the donor as ciphertext under the profile's key",
        FOR_EVER,
        "part of the books; destroying the key forgets the person in them",
        "erasure",
    ),
    Rule(
        "messages.outbox",
        "messages that wait to be published; donors as ciphertext",
        FOR_EVER,
        "deleted when Kafka has them; topics keep them 30 days (90 what was recorded)",
        "relay (topics/relay.py)",
        spelled="until published",
    ),
    Rule(
        "messages.set_aside",
        "dead letters; donors as ciphertext under the profile's key",
        _YEAR,
        "a person decides on each; whatever it could still have told is in the books by then."
        " What is parked is tried again, and never deleted",
        "retention",
        since="set_aside_at",
        condition="disposition = 'dead'",
    ),
    Rule(
        "ledger.waiting",
        "requests that wait for what they refer to; donors as ciphertext",
        FOR_EVER,
        "deleted when recorded",
        "bookkeeping",
        spelled="until recorded",
    ),
    Rule(
        "notifications.mails",
        "that a mail went out for an entry: no address, no text",
        400 * _DAY,
        "for questions about a receipt; longer than any topic, so that no replay sends it again",
        "retention",
        since="settled_at",
    ),
    Rule(
        "audit.pending",
        "what somebody did, before it has its place; the client's network sealed",
        FOR_EVER,
        "moved within seconds",
        "audit (workers/audit)",
        spelled="until chained",
    ),
    Rule(
        "audit.records",
        "who did what; the client's network sealed, its opening deleted with the person",
        7 * _YEAR,
        "as long as accounts must be explained; by months, the rest still verifies",
        "audit (workers/audit)",
        spelled="7 years",
    ),
    Rule(
        "events.events",
        "what happened, for listeners: ids and states, no person",
        30 * _DAY,
        "a listener that was away catches up",
        "edge (edge/events)",
    ),
    Rule(
        "ledger.forgotten",
        "profiles that were forgotten: random ids",
        FOR_EVER,
        "so that nothing late or restored remembers them",
        "none",
    ),
    Rule(
        "ledger.pending_erasures",
        "entries whose erasure the log does not state yet",
        FOR_EVER,
        "deleted when stated, once a day",
        "bookkeeping",
        spelled="a day",
    ),
)

#: Of organizations, of money, of the machinery. No person is in them.
IMPERSONAL: Final = frozenset(
    {
        *("accounts.accounts", "accounts.creations", "accounts.requests"),
        "audit.chainer",
        *("donations.disputes", "donations.donations", "donations.refunds"),
        *("edge.api_keys", "edge.bookings", "edge.campaigns", "edge.funds", "edge.organizations"),
        *("edge.api_key_uses", "edge.collections", "edge.collectors", "edge.staff"),
        *("edge.payout_settings", "edge.project_updates", "edge.projects", "edge.rate_limits"),
        "events.refused_entries",
        *("ledger.checkpoints", "ledger.cosignatures", "ledger.daily_sums", "ledger.entries"),
        *("ledger.erasure_run", "ledger.monthly_figures", "ledger.publications", "ledger.stated"),
        *("ledger.transactions", "ledger.witnessed", "ledger.writers"),
        *("payments.disputes", "payments.ignored_events"),
        *("payments.movements", "payments.refunds"),
        *("payouts.attempts", "payouts.foreign_movements", "payouts.ignored_events"),
        *("payouts.items", "payouts.movements", "payouts.payouts", "payouts.schedules"),
        *("payouts.states", "payouts.turns"),
        *("permissions.relationships", "permissions.tokens"),
        "public.migrations",
        *("reconciliation.days", "reconciliation.differences", "reconciliation.requests"),
        *("reconciliation.runs", "reconciliation.stuck", "reconciliation.sums"),
        "reconciliation.swept_events",
    }
)

JOB: Final = "retention"
#: What the process `retention` deletes by itself.
OWN: Final = tuple(rule for rule in PERSONAL if rule.job == JOB)
[WITHOUT_GIFTS] = [rule for rule in PERSONAL if rule.table == "edge.donor_profiles"]


def page() -> str:
    """The table as `deploy/RETENTION.md` shows it."""
    lines = [
        "# How long what is kept",
        "",
        "Made of `workers/retention/table.py` by `make generate`. Everything else that has a time",
        "is of organizations, money or the machinery and names no person.",
        "",
        "| where | what | how long | why | deleted by |",
        "| --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| `{rule.table}` | {rule.what} | {rule.how_long} | {rule.why} | {rule.job} |"
        for rule in PERSONAL
    ]
    return "\n".join(lines) + "\n"
