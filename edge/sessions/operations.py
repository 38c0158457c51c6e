"""Signing in and out, and one's own sessions, as the API describes them."""

from typing import Final

from edge.access import PUBLIC, Access
from edge.operation import ALWAYS, Operation, choice, parameter
from edge.sessions.models import Me, PersonErasure, Session, SessionList, SignedOut

#: Only people have it: API keys are nobody.
SCOPE: Final = "me"
_OWN: Final = Access(scope=SCOPE, on="caller")
_AWAY: Final = ("sign_in_not_offered", "identity_provider_unavailable")

SESSIONS: Final = (
    Operation(
        method="get",
        path="/v1/auth/login",
        identifier="beginSignIn",
        summary="For browsers: 303 to the provider's sign-in (authorization code with PKCE).",
        status=303,
        answer="text/plain",
        access=PUBLIC,
        parameters=(
            parameter(
                "return_to",
                "query",
                "A path on this host to come back to.",
                {"type": "string", "pattern": r"^/(?![/\\])", "maxLength": 500},
            ),
            choice("step_up", "`1` asks for a fresh second factor (RFC 9470).", "0", "1"),
        ),
        headers=("Location",),
        problems=("query_not_accepted", *_AWAY, *ALWAYS),
    ),
    Operation(
        method="get",
        path="/v1/auth/callback",
        identifier="finishSignIn",
        summary="For the provider: where a browser comes back to. 303 with a session's cookie.",
        status=303,
        answer="text/plain",
        access=PUBLIC,
        parameters=tuple(
            parameter(name, "query", "As RFC 6749 and RFC 9207 have it.", {"type": "string"})
            for name in ("code", "state", "iss", "error", "error_description")
        ),
        headers=("Location",),
        problems=(
            *("login_expired", "login_refused", "step_up_not_given"),
            *(*_AWAY, *ALWAYS),
        ),
    ),
    Operation(
        method="post",
        path="/v1/auth/logout",
        identifier="signOut",
        summary="End this session.",
        status=200,
        answer=SignedOut,
        access=_OWN,
        problems=("query_not_accepted",),
    ),
    Operation(
        method="get",
        path="/v1/me",
        identifier="showMe",
        summary="Who asks, and all that is kept of them.",
        status=200,
        answer=Me,
        access=_OWN,
        problems=("query_not_accepted",),
    ),
    Operation(
        method="delete",
        path="/v1/me",
        identifier="eraseMe",
        summary="Be forgotten: name and address, sessions, every role. It cannot be undone.",
        status=202,
        answer=PersonErasure,
        access=Access(scope=SCOPE, on="caller", needs_step_up=True),
        problems=("person_needed", "last_owner", "query_not_accepted"),
    ),
    Operation(
        method="get",
        path="/v1/me/sessions",
        identifier="listSessions",
        summary="One's newest 100 sessions, ended ones too.",
        status=200,
        answer=SessionList,
        access=_OWN,
        problems=("query_not_accepted",),
    ),
    Operation(
        method="delete",
        path="/v1/me/sessions",
        identifier="endSessions",
        summary="End all of one's sessions, this one too.",
        status=200,
        answer=SessionList,
        access=_OWN,
        problems=("query_not_accepted",),
    ),
    Operation(
        method="delete",
        path="/v1/me/sessions/{session}",
        identifier="endSession",
        summary="End one of one's sessions.",
        status=200,
        answer=Session,
        access=_OWN,
        parameters=(parameter("session", "path", "Its `ses_…` id.", {"type": "string"}),),
        problems=("session_not_found", "query_not_accepted"),
    ),
)
