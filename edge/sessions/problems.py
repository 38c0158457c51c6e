"""The problems of people: of their tokens, their sessions, and the provider of identities."""

from typing import Final

from edge.problem_kind import ProblemKind

PROBLEMS: Final[dict[str, ProblemKind]] = {
    "login_expired": ProblemKind(
        400,
        "The sign-in was not begun here, or too long ago",
        "Begin again at `/v1/auth/login`, in one browser, within 10 minutes.",
    ),
    "login_refused": ProblemKind(
        403, "The sign-in did not succeed", "Begin again at `/v1/auth/login`."
    ),
    "step_up_not_given": ProblemKind(
        403,
        "The provider did not ask for a second factor",
        "Set up a second factor there, then begin again at `/v1/auth/login?step_up=1`.",
    ),
    "token_invalid": ProblemKind(
        401, "The access token is not valid here", "Get a fresh one for this API, and send that."
    ),
    "session_ended": ProblemKind(
        401, "The session has ended", "Sign in again at `/v1/auth/login`."
    ),
    "cross_site_request": ProblemKind(
        403,
        "Another site may have sent this",
        "Send it from a page of this site; programs send an API key or an access token.",
    ),
    "sign_in_not_offered": ProblemKind(
        404, "Nobody signs in here", "Use an API key; operators set `AMPLY_OIDC_ISSUER`."
    ),
    "session_not_found": ProblemKind(
        404, "You have no such session", "See `/v1/me/sessions` for those you have."
    ),
    "identity_provider_unavailable": ProblemKind(
        503, "Sign-ins cannot be checked now", "Try again after the seconds of Retry-After."
    ),
}
