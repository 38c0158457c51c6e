"""Logs: one JSON object a line on standard error, ours and the libraries'.

Nothing of a message's body, key or a row's values is logged; of an exception only its type, since
its text may quote them.
"""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, Final

import orjson
import structlog

_QUIET: Final = "amply.faststream"
_REPEAT_S: Final = 10.0


class _Once(logging.Filter):
    """Lets a library say the same thing once in ten seconds: away from its broker, aiokafka says
    it forty times a second."""

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[tuple[str, object], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        what = (record.name, record.msg)
        fresh = record.created - self._said.get(what, -_REPEAT_S) >= _REPEAT_S
        if fresh:
            self._said[what] = record.created
            if len(self._said) > 1000:  # Messages that were put together before they were logged.
                self._said.clear()
        return fresh


class _JsonLines(logging.Formatter):
    """A library's log record as one JSON object."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "event": record.getMessage(),
            "logger": record.name,
            "level": record.levelname.lower(),
            "timestamp": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
        }
        if record.exc_info and record.exc_info[0]:
            line["error"] = record.exc_info[0].__name__
        return orjson.dumps(line).decode()


def configure(process: str) -> None:
    """Set up logging for this process; `process` stands on each of its own lines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonLines())
    handler.addFilter(_Once())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _type_of_error,
            structlog.processors.JSONRenderer(serializer=_serialize),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.BytesLoggerFactory(sys.stderr.buffer),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(process=process)


def quiet_logger() -> logging.Logger:
    """A logger for FastStream that keeps to errors: it logs every batch otherwise."""
    logger = logging.getLogger(_QUIET)
    logger.setLevel(logging.ERROR)
    return logger


def _type_of_error(
    logger: Any, method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    info = event.pop("exc_info", None)
    error = info if isinstance(info, BaseException) else sys.exc_info()[1] if info else None
    if error is not None:
        event["error"] = type(error).__name__
    return event


def _serialize(event: dict[str, Any], **options: Any) -> bytes:
    return orjson.dumps(event, default=str)
