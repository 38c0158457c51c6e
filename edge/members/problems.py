"""The problems of organizations, their members, keys and collectors."""

from typing import Final

from edge.problem_kind import ProblemKind

PROBLEMS: Final[dict[str, ProblemKind]] = {
    "role_above_own": ProblemKind(
        403, "The role is above your own", "Ask somebody whose role is as high."
    ),
    "invitation_of_another": ProblemKind(
        403,
        "The invitation is for another address",
        "Sign in with the verified address that the mail went to.",
    ),
    "member_not_found": ProblemKind(404, "No such member", "Give the `usr_…` id of a member."),
    "invitation_not_found": ProblemKind(
        404, "No such invitation", "Use the token in the newest mail."
    ),
    "key_not_found": ProblemKind(404, "No such key", "Give the `key_…` id of one of your keys."),
    "collector_not_found": ProblemKind(
        404, "No such collector", "Give the `col_…` id of an active collector."
    ),
    "organization_state": ProblemKind(
        409, "Its status does not allow that", "See the organization's `status` and `review`."
    ),
    "slug_taken": ProblemKind(409, "The short name is taken", "Choose another `slug`."),
    "too_many_applications": ProblemKind(
        409, "Your other applications wait", "Wait for their review, or withdraw one."
    ),
    "too_many_invitations": ProblemKind(
        409, "Too many invitations are open", "Revoke those that nobody will accept."
    ),
    "too_many_keys": ProblemKind(409, "There are too many keys", "Revoke those not in use."),
    "too_many_collectors": ProblemKind(
        409, "You manage too many collectors", "Close those not in use."
    ),
    "member_already": ProblemKind(
        409, "You are a member already", "Ask an admin to change your role."
    ),
    "last_owner": ProblemKind(
        409, "Nobody else has this role", "Give it to somebody else before, then try again."
    ),
    "person_needed": ProblemKind(
        409,
        "Others would be left with nobody",
        "Make somebody else an owner of these organizations, or close or withdraw them; close these"
        " collectors. Then try again.",
    ),
    "key_revoked": ProblemKind(409, "The key is revoked", "Make another one."),
    "invitation_over": ProblemKind(
        410, "The invitation is over", "Ask for another one, and use it within seven days."
    ),
    "scope_unknown": ProblemKind(422, "No such scope for this key", "Name scopes of the detail."),
    "time_over": ProblemKind(422, "The time is over", "Give a time to come."),
}
