"""Whose fault each kind of failure is, and how long one waits."""

import asyncpg
import pytest

from workers.runtime.failures import Fault, delays, fault_of, park_delay_s, verdict_on
from workers.runtime.worker import Refused, Transient


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (Refused("code", "reason"), Fault.RULE),
        (Transient("later"), Fault.MOMENT),
        (ConnectionRefusedError(), Fault.MOMENT),
        (TimeoutError(), Fault.MOMENT),
        (asyncpg.ConnectionDoesNotExistError(""), Fault.MOMENT),
        (asyncpg.AdminShutdownError(""), Fault.MOMENT),
        (asyncpg.CannotConnectNowError(""), Fault.MOMENT),
        (asyncpg.DeadlockDetectedError(""), Fault.MOMENT),
        (asyncpg.SerializationError(""), Fault.MOMENT),
        (asyncpg.QueryCanceledError(""), Fault.MOMENT),
        (asyncpg.ReadOnlySQLTransactionError(""), Fault.MOMENT),
        (asyncpg.TooManyConnectionsError(""), Fault.MOMENT),
        (asyncpg.InterfaceError("connection is closed"), Fault.MOMENT),
        (asyncpg.InternalClientError("another operation (2) is in progress"), Fault.MOMENT),
        (asyncpg.UndefinedTableError(""), Fault.DEPLOYMENT),
        (asyncpg.InsufficientPrivilegeError("permission denied for table"), Fault.DEPLOYMENT),
        (asyncpg.InvalidPasswordError(""), Fault.DEPLOYMENT),
        (
            asyncpg.InsufficientPrivilegeError("new row violates row-level security policy"),
            Fault.MESSAGE,
        ),
        (asyncpg.UniqueViolationError(""), Fault.MESSAGE),
        (asyncpg.CheckViolationError(""), Fault.MESSAGE),
        (asyncpg.DataError(""), Fault.MESSAGE),
        (asyncpg.exceptions._base.DataError("invalid input"), Fault.MESSAGE),
        (asyncpg.RaiseError(""), Fault.MESSAGE),
        (ValueError(), Fault.MESSAGE),
        (KeyError("name"), Fault.MESSAGE),
        (AssertionError(), Fault.MESSAGE),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else value.value,
)
def test_fault_of(error: Exception, fault: Fault) -> None:
    assert fault_of(error) is fault
    verdict = verdict_on(error, 3.0)
    parked = fault in {Fault.MOMENT, Fault.DEPLOYMENT}
    assert (verdict.disposition == "parked") is parked
    assert verdict.reason and verdict.code


def test_a_verdict_quotes_only_our_own_words() -> None:
    assert "ada@" not in verdict_on(ValueError("ada@example.org"), 1).reason
    assert "ada@" not in verdict_on(asyncpg.DataError("ada@example.org"), 1).reason
    assert verdict_on(Refused("Odd Code!", "why\0" + "x" * 600), 1).code == "odd_code_"
    assert verdict_on(Refused("c", "why\0" + "x" * 600), 1).reason == "why" + "x" * 497


def test_waits_double_up_to_a_bound_and_vary() -> None:
    waits = delays(0.2, 5.0)
    for most in (0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0):
        assert most / 2 <= next(waits) <= most
    assert [park_delay_s(attempts, 1, 600) for attempts in (1, 2, 5, 10, 10_000)] == [
        2,
        4,
        32,
        600,
        600,
    ]
