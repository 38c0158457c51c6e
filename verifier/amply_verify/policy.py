"""Witness policies (C2SP tlog-policy): which logs are trusted and whose cosignatures suffice.

Names are opaque; a group or quorum refers only to names defined on the lines before it, each name
is a member of at most one group, and there is exactly one quorum.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass, field

from amply_verify.errors import NoteError
from amply_verify.note import COSIGNATURE, ED25519, VerifierKey, parse_verifier_key

_NONE = "none"
_FORBIDDEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_WORDS = re.compile(r"[^ \t]+")
_THRESHOLD = re.compile(r"[1-9][0-9]{0,3}").fullmatch


@dataclass(slots=True)
class Policy:
    """A parsed policy; `logs` may be empty, `quorum` is a defined name or "none".

    `urls` has what stands as the address of a witness, as it stands there. Nothing here uses it.
    """

    quorum: str = ""
    logs: list[VerifierKey] = field(default_factory=list)
    witnesses: dict[str, VerifierKey] = field(default_factory=dict)
    urls: dict[str, str] = field(default_factory=dict)
    groups: dict[str, tuple[int, list[str]]] = field(default_factory=dict)

    def allows_log(self, key: VerifierKey) -> bool:
        """Whether the policy lists no logs, or this one."""
        return not self.logs or key in self.logs

    def is_met(self, cosigners: Collection[tuple[str, bytes]]) -> bool:
        """Whether the (key name, key id) pairs that cosigned form a quorum."""
        return self.quorum == _NONE or self._witnessed(self.quorum, cosigners)

    def _witnessed(self, name: str, cosigners: Collection[tuple[str, bytes]]) -> bool:
        # Groups refer only backwards and to each name once, so this visits a tree.
        key = self.witnesses.get(name)
        if key is not None:
            return (key.name, key.key_id) in cosigners
        threshold, members = self.groups[name]
        return sum(self._witnessed(member, cosigners) for member in members) >= threshold


def parse_policy(text: str) -> Policy:
    """The policy in a tlog-policy text; raises NoteError with the line's number."""
    policy = Policy()
    grouped: set[str] = set()
    if _FORBIDDEN.search(text):
        raise NoteError("the policy holds a control character")
    for number, line in enumerate(text.split("\n"), start=1):
        words = _WORDS.findall(line)
        if words and not words[0].startswith("#"):
            try:
                _apply(policy, grouped, words)
            except NoteError as error:
                raise NoteError(f"policy, line {number}: {error}") from error
    if not policy.quorum:
        raise NoteError("the policy has no quorum line")
    return policy


def _apply(policy: Policy, grouped: set[str], words: list[str]) -> None:
    match words:
        case ["log", key] | ["log", key, _]:
            policy.logs.append(_key(key, ED25519, policy.logs))
        case ["witness", name, key, *url] if len(url) <= 1:
            _check_new(policy, name)
            policy.witnesses[name] = _key(key, COSIGNATURE, policy.witnesses.values())
            if url:
                policy.urls[name] = url[0]
        case ["group", name, threshold, *members] if members:
            _check_new(policy, name)
            for member in members:
                _check_defined(policy, member)
                if member in grouped:
                    raise NoteError(f"{member} is already a member of a group")
                grouped.add(member)
            policy.groups[name] = (_threshold(threshold, len(members)), members)
        case ["quorum", name]:
            if policy.quorum:
                raise NoteError("there is a second quorum line")
            if name != _NONE:
                _check_defined(policy, name)
            policy.quorum = name
        case _:
            raise NoteError("not a log, witness, group or quorum line")


def _key(text: str, algorithm: int, others: Collection[VerifierKey]) -> VerifierKey:
    key = parse_verifier_key(text)
    if key.algorithm != algorithm:
        raise NoteError("the key is not of the Ed25519 type that this line needs")
    if any(key.public == other.public for other in others):
        raise NoteError("the same public key is listed twice")
    return key


def _check_new(policy: Policy, name: str) -> None:
    if name == _NONE or name in policy.witnesses or name in policy.groups:
        raise NoteError(f"the name {name} is already taken")


def _check_defined(policy: Policy, name: str) -> None:
    if name not in policy.witnesses and name not in policy.groups:
        raise NoteError(f"{name} is not defined before this line")


def _threshold(text: str, count: int) -> int:
    if text in ("all", "any"):
        return count if text == "all" else 1
    if _THRESHOLD(text) is None or int(text) > count:
        raise NoteError(f"a threshold is all, any or a number from 1 to {count}")
    return int(text)
