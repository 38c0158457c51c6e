"""Who may let more of what comes be seen, wherever that is decided: of an organization, of a fund.

What the log shows once it shows for ever. So that everything is shown needs an owner, with a second
factor; gifts and bookings show what their fund, else their organization, says by then.
"""

from contracts.donations import Visibility
from edge.authorization import Authorization, Question
from edge.caller import Caller, is_stepped_up
from edge.errors import ProblemError
from ledger.visibility import Label, is_wider


async def require_may_show(
    authorization: Authorization,
    caller: Caller,
    organization: str,
    wanted: Visibility,
    current: Visibility,
) -> None:
    """ProblemError 401, 403 unless the caller may let `wanted` be seen in place of `current`."""
    permission = permission_to_show(wanted, current)
    if permission is None:
        return
    await authorization.require(
        Question(f"organization:{organization}", permission, caller.subject),
        ProblemError(
            "permission_denied",
            "To show more is for those who may decide it.",
            param="visibility",
        ),
        is_fresh=True,
    )
    if not is_stepped_up(caller):
        raise ProblemError("step_up_needed")


def permission_to_show(wanted: Visibility, current: Visibility) -> str | None:
    """What one must be allowed for it; None for what shows no more."""
    if not is_wider(_label(wanted), _label(current)):
        return None
    return "consent_to_publication" if wanted == "public_full" else "change_visibility"


def _label(visibility: Visibility) -> Label:
    """With `delayed_public`, how late does not matter here."""
    return Label(visibility, None)
