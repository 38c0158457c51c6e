"""Which witnesses are asked: the C2SP tlog-policy file that verifiers use too.

What is wrong with it ends the start with one sentence: a quorum that cannot be met is no policy.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from amply_verify.errors import NoteError
from amply_verify.note import VerifierKey
from amply_verify.policy import Policy, parse_policy
from workers.settings import SettingError, integer, required

SETTING: Final = "AMPLY_WITNESSES"
#: Between two rounds, on average; each pause is 2/3 to 4/3 of it: 30 to 60 s.
INTERVAL_S_DEFAULT: Final = 45
#: So that a pause and a round are shorter than a process may go without a sign of life.
INTERVAL_S_MAX: Final = 60


@dataclass(frozen=True, slots=True)
class Witness:
    """One witness as the policy names it; `url` ends in its path to add checkpoints."""

    name: str
    key: VerifierKey
    url: str


@dataclass(frozen=True, slots=True)
class Configuration:
    """The policy, those of its witnesses that have an address, and the mean pause in seconds."""

    policy: Policy
    witnesses: tuple[Witness, ...]
    interval_s: int


def load(variables: Mapping[str, str]) -> Configuration:
    """What the policy file and the settings say; SettingError when witnesses cannot be asked so."""
    path = Path(required(variables, SETTING, "a tlog-policy file that gives witnesses' addresses"))
    origin = required(variables, "AMPLY_LOG_ORIGIN", "the log's origin, <host>/log/0")
    try:
        policy = parse_policy(path.read_text("utf-8"))
    except OSError as error:
        raise SettingError(f"{SETTING}: cannot read {path}: {error.strerror}") from None
    except (NoteError, UnicodeDecodeError) as error:
        raise SettingError(f"{SETTING}: {path}: {error}") from None
    if policy.logs and all(key.name != origin for key in policy.logs):
        raise SettingError(f"{SETTING}: {path} lists logs, but not {origin}")
    witnesses = tuple(
        Witness(name, policy.witnesses[name], _submission(name, url))
        for name, url in policy.urls.items()
    )
    if not witnesses:
        raise SettingError(f"{SETTING}: {path} gives no address of any witness")
    if not policy.is_met({(one.key.name, one.key.key_id) for one in witnesses}):
        raise SettingError(f"{SETTING}: {path} asks for a quorum of witnesses without address")
    interval_s = integer(
        variables, "AMPLY_WITNESS_INTERVAL_S", INTERVAL_S_DEFAULT, least=1, most=INTERVAL_S_MAX
    )
    return Configuration(policy, witnesses, interval_s)


def _submission(name: str, url: str) -> str:
    try:
        parts = urlsplit(url)
        has_address = bool(parts.hostname) and parts.port != 0
    except ValueError:
        has_address = False
    if not has_address or parts.scheme not in {"http", "https"}:
        raise SettingError(f"{SETTING}: the address of {name} is not of the form https://host/path")
    if parts.query or parts.fragment or parts.username is not None:
        raise SettingError(f"{SETTING}: the address of {name} has more than host, port and path")
    return f"{url.rstrip('/')}/add-checkpoint"
