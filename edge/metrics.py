"""What the edge counts. Labels have few values: never an organization, an id or a path."""

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

REQUESTS: Final = Counter(
    "amply_edge_requests_total", "Requests by route and outcome.", ["method", "route", "outcome"]
)
REQUEST_SECONDS: Final = Histogram(
    "amply_edge_request_seconds",
    "Time from the request's head to the answer's end.",
    ["method", "route"],
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 40),
)
COMMIT_ITEMS: Final = Histogram(
    "amply_edge_commit_items",
    "Requests that shared a database transaction.",
    ["kind"],
    buckets=(1, 2, 4, 8, 16, 32, 64, 128),
)
DONATIONS: Final = Counter(
    "amply_edge_donations_total", "Donations by what became of the request.", ["outcome"]
)
LIMITED: Final = Counter(
    "amply_edge_limited_total", "Requests refused by which limit; away: let in uncounted.", ["rule"]
)
STRIPE_EVENTS: Final = Counter(
    "amply_edge_stripe_events_total", "Verified webhooks by what became of them.", ["disposition"]
)
STRIPE_SIGNATURES: Final = Counter(
    "amply_edge_stripe_signatures_total",
    "Verified webhooks by number of the secret: a rotation is over when the old one rests.",
    ["endpoint", "secret"],
)
STRIPE_SIGNATURE_FAILURES: Final = Counter(
    "amply_edge_stripe_signature_failures_total",
    "Webhooks that were refused.",
    ["endpoint", "code"],
)
OUTBOX_AGE_SECONDS: Final = Gauge(
    "amply_edge_outbox_oldest_age_seconds", "How long the oldest message has waited."
)
AUDIT_LOST: Final = Counter(
    "amply_edge_audit_lost_total",
    "Audit rows of denials and reads that were lost, by why.",
    ["reason"],
)
AUDIT_LATE: Final = Counter(
    "amply_edge_audit_late_total",
    "Writes that left no audit row in their transaction, and got one afterwards.",
    ["operation"],
)
WAITING: Final = Gauge("amply_edge_waiting_requests", "Requests that wait for a change.")
CONNECTIONS: Final = Gauge("amply_edge_connections", "Open connections.")
CONNECTIONS_ENDED: Final = Counter(
    "amply_edge_connections_ended_total", "Connections that the edge ended, by reason.", ["reason"]
)
