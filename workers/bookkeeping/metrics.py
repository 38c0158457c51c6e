"""Figures of the ledger's writer, for Prometheus."""

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

from ledger.decision import Decision

_requests: Final = Counter("ledger_requests", "Requests by what became of them", ["outcome"])
append_seconds: Final = Histogram(
    "ledger_append_seconds",
    "Time of one append transaction",
    buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 5),
)
batch_requests: Final = Histogram(
    "ledger_append_batch_size",
    "Requests in one append transaction",
    buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 4000, 8000),
)
own_entries_refused: Final = Counter(
    "ledger_own_entries_refused", "Censuses and statements that the database refused"
)
size: Final = Gauge("ledger_size", "Entries in the log")
epoch: Final = Gauge("ledger_writer_epoch", "The epoch of this writer")
waiting: Final = Gauge("ledger_waiting_requests", "Requests that wait for another entry")
waiting_age: Final = Gauge("ledger_waiting_oldest_seconds", "For how long the oldest has waited")


def count(decision: Decision) -> None:
    """Count a decision that was committed."""
    outcomes = {
        "recorded": len(decision.entries),
        "waiting": len(decision.waiting),
        "refused": len(decision.refused),
        "duplicate": len(decision.skipped),
    }
    for outcome, number in outcomes.items():
        _requests.labels(outcome).inc(number)
    batch_requests.observe(sum(outcomes.values()))
    size.set(decision.state.size)
