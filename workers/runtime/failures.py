"""Whose fault a failure is: the message's, the moment's, or the deployment's.

| failure | verdict |
| --- | --- |
| `Refused` | the message breaks a rule: dead letter, and `messages.refused.v1` says so |
| `Transient`, no connection, timeout, deadlock | the moment's: try again, then park the key |
| missing table, column or grant | the deployment's: halt and try again until it is put right |
| anything else (a constraint, a value, a bug) | the message's: dead letter |
"""

import random
import re
from collections.abc import Iterator
from enum import Enum
from typing import Final

import asyncpg

from topics.dead_letters import Verdict
from topics.sessions import DATABASE_ERRORS
from workers.runtime.worker import Refused, Transient

REASON_LENGTH_MAX: Final = 500


class Fault(Enum):
    """Whose fault it is."""

    RULE = "rule"
    MESSAGE = "message"
    MOMENT = "moment"
    DEPLOYMENT = "deployment"


#: SQLSTATE classes that say "not now": connection, a server that turned read-only, rollback,
#: resources, lock, intervention, system.
_MOMENT_STATES: Final = ("08", "25", "40", "53", "55", "57", "58", "XX")
#: Syntax error or access rule violation, invalid schema, invalid catalog, invalid authorization.
_DEPLOYMENT_STATES: Final = ("42", "3D", "3F", "28", "0A")


def fault_of(error: BaseException) -> Fault:
    """Whose fault an exception of a handler, a call or a transaction is."""
    if isinstance(error, Refused):
        return Fault.RULE
    if isinstance(error, asyncpg.PostgresError):
        state = error.sqlstate or ""
        # Row-level security refuses one row of one message, with the code of a missing grant.
        if state.startswith(_DEPLOYMENT_STATES) and "row-level security" not in str(error):
            return Fault.DEPLOYMENT
        return Fault.MOMENT if state.startswith(_MOMENT_STATES) else Fault.MESSAGE
    # An InterfaceError is a closed connection; a DataError is one too, and is about a value.
    if isinstance(error, DATABASE_ERRORS) and not isinstance(error, ValueError):
        return Fault.MOMENT
    return Fault.MOMENT if isinstance(error, Transient) else Fault.MESSAGE


def verdict_on(error: BaseException, delay_s: float) -> Verdict:
    """What becomes of the one message that an error is about; parked ones are due in `delay_s`.

    Only our own errors are quoted: a database's text may hold a row's values.
    """
    if isinstance(error, Refused):
        code = re.sub("[^a-z0-9_]", "_", error.code.lower())[:64] or "refused"
        return Verdict("dead", code, _plain(error.reason))
    if fault_of(error) in {Fault.MOMENT, Fault.DEPLOYMENT}:
        reason = _plain(str(error)) if isinstance(error, Transient) else ""
        return Verdict("parked", "transient", reason or _describe(error), delay_s)
    return Verdict("dead", "handler_failed", _describe(error))


def _plain(text: str) -> str:
    return text.replace("\0", "")[:REASON_LENGTH_MAX]  # PostgreSQL keeps no NUL in a text.


def _describe(error: BaseException) -> str:
    parts = [type(error).__name__]
    if isinstance(error, asyncpg.PostgresError):
        parts += [error.sqlstate or "", getattr(error, "constraint_name", None) or ""]
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is not None:
        parts.append(f"in {trace.tb_frame.f_code.co_name}, line {trace.tb_lineno}")
    return " ".join(filter(None, parts))[:REASON_LENGTH_MAX]


def delays(first_s: float, most_s: float) -> Iterator[float]:
    """Waiting times that double up to `most_s`, each shortened by up to a half at random."""
    delay_s = first_s
    while True:
        yield delay_s * random.uniform(0.5, 1.0)  # noqa: S311 - spreads retries, guards nothing
        delay_s = min(delay_s * 2, most_s)


def park_delay_s(attempts: int, first_s: float, most_s: float) -> float:
    """How long a parked message waits after so many attempts."""
    return min(first_s * 2.0 ** min(attempts, 32), most_s)
