"""What a request is refused for before it is looked at: too much, or from the wrong page."""

from typing import Final

from edge.problem_kind import ProblemKind

PROBLEMS: Final[dict[str, ProblemKind]] = {
    "head_timeout": ProblemKind(
        408, "The request's head came too slowly", "Send request line and headers within 10 s."
    ),
    "rate_limit_exceeded": ProblemKind(
        429,
        "Too many requests",
        "Ask less often: see RateLimit-Policy, and try again after Retry-After.",
    ),
    "head_too_large": ProblemKind(
        431,
        "The address or the headers are too large",
        "Send 8 KiB a line, 100 headers and 32 KiB in all at most.",
    ),
    "overloaded": ProblemKind(
        503,
        "Too many requests are under way",
        "Try again after Retry-After, over fewer connections, with the same Idempotency-Key.",
    ),
    "origin_not_allowed": ProblemKind(
        403, "The key is not for this page", "Name the page's origin in the publishable key."
    ),
}
