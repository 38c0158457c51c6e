"""What happens by itself once the business clock has reached a time: SEPA settles, a refund fails.

Each row of `timers` is (due, kind, object); a module says what a kind does with `@on(kind)`. Rows
run in the order of their times, each in a savepoint of its own, with `call.now` at its due time:
a clock moved by a month gives the events their own days, and rows that a row sets run in order.
"""

from collections.abc import Callable

from deploy.sandbox.calls import Call, World

Handler = Callable[[Call], object]
_HANDLERS: dict[str, Handler] = {}

# The due time of what waits for an event instead of a day.
NEVER = 1 << 53


def on(kind: str) -> Callable[[Handler], Handler]:
    """Let the decorated function carry out timers of this kind; `call.ids` is (object id,)."""

    def register(handler: Handler) -> Handler:
        assert kind not in _HANDLERS, f"two handlers of {kind}"
        _HANDLERS[kind] = handler
        return handler

    return register


def start(call: Call, kind: str, object_id: str, due: int) -> None:
    """Carry out `kind` on an object of the call's account at `due` (business Unix seconds)."""
    assert kind in _HANDLERS, f"no handler of {kind}"
    call.store.database.execute(
        "INSERT INTO timers (due, kind, account, object) VALUES (?, ?, ?, ?)",
        (due, kind, call.account, object_id),
    )
    call.timers_due |= due <= call.world.now()


def wait(call: Call, kind: str, object_id: str) -> None:
    """Carry out `kind` on an object once `wake` is called for its account."""
    start(call, kind, object_id, NEVER)


def wake(call: Call, account: str, kind: str) -> None:
    """Let everything of this kind that waits in an account be carried out now."""
    database = call.store.database
    # Nearly always nothing waits, and a statement that writes costs ten times one that reads.
    found = database.execute(
        "SELECT 1 FROM timers WHERE account = ? AND kind = ? AND due = ?", (account, kind, NEVER)
    )
    if found.fetchone() is not None:
        database.execute(
            "UPDATE timers SET due = ? WHERE account = ? AND kind = ? AND due = ?",
            (call.now, account, kind, NEVER),
        )
        call.timers_due = True


def start_once(call: Call, kind: str, account: str, due: int) -> None:
    """Carry out `kind` on an account itself at `due`, once, however often it is asked for."""
    assert kind in _HANDLERS, f"no handler of {kind}"
    database = call.store.database
    found = database.execute(
        "SELECT 1 FROM timers WHERE account = ? AND kind = ? AND due = ? AND object = ?",
        (account, kind, due, account),
    )
    if found.fetchone() is None:
        database.execute(
            "INSERT INTO timers (due, kind, account, object) VALUES (?, ?, ?, ?)",
            (due, kind, account, account),
        )


def cancel(call: Call, kind: str, object_id: str) -> None:
    """Forget an object's timers of this kind; none is no mistake."""
    call.store.database.execute(
        "DELETE FROM timers WHERE object = ? AND kind = ?", (object_id, kind)
    )


def next_due(world: World) -> Call | None:
    """Return the call that carries out the first timer whose time has come, or None."""
    row = world.store.database.execute(
        "SELECT sequence, due, kind, account, object FROM timers WHERE due <= ? "
        "ORDER BY due, sequence LIMIT 1",
        (world.now(),),
    ).fetchone()
    if row is None:
        return None
    sequence, due, kind, account, object_id = row
    call = Call(world, account, {"sequence": sequence, "kind": kind}, (object_id,))
    call.now = due
    return call


def carry_out(call: Call) -> None:
    """Take a timer's row away and do its work."""
    kind = call.params["kind"]
    drop(call)
    call.params = {}
    _HANDLERS[kind](call)


def drop(call: Call) -> None:
    """Take a timer's row away."""
    call.store.database.execute("DELETE FROM timers WHERE sequence = ?", (call.params["sequence"],))
