"""A person as the edge knows them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Profile:
    """What a provider says of a person. `email` is one that it has verified."""

    name: str | None = None
    email: str | None = None


@dataclass(frozen=True, slots=True)
class Person:
    """`wrapped_key` is their data key, encrypted; `profile` is under it."""

    id: str
    wrapped_key: bytes
    profile: bytes | None
