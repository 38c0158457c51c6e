"""Logs as JSON lines on standard output: ours and those of the libraries.

No line carries a header, a query, a body, an address or the text of an unforeseen error, all of
which may hold personal data or a secret.
"""

import logging
import sys
from typing import Any

import orjson
import structlog


def _dumps(value: Any, default: Any) -> bytes:
    return orjson.dumps(value, default=default)


def configure() -> None:
    """Set up logging for this process."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"),
            structlog.processors.JSONRenderer(serializer=_dumps),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.BytesLoggerFactory(sys.stdout.buffer),
        cache_logger_on_first_use=True,
    )
    handler = _Forward()
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)


class _Forward(logging.Handler):
    """Library records become lines of ours: where from and what kind, never their arguments."""

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[0] if record.exc_info else None
        structlog.get_logger().log(
            record.levelno,
            "library",
            logger=record.name,
            message=str(record.msg)[:200],
            error=error.__name__ if error else None,
        )


def where(error: BaseException) -> list[str]:
    """The frames an error passed, innermost last, without its text."""
    frames = []
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        frames.append(f"{code.co_filename.rpartition('/')[2]}:{trace.tb_lineno} {code.co_name}")
        trace = trace.tb_next
    return frames[-12:]
