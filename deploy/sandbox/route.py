"""What one request of the API is."""

from collections.abc import Callable
from dataclasses import dataclass

from deploy.sandbox.calls import Answer, Call
from deploy.sandbox.parameters import Shape
from deploy.sandbox.store import Body

Function = Callable[[Call], Body | Answer]


@dataclass(frozen=True, slots=True)
class Route:
    """One request: the kind of object it answers with, its parameters and its function."""

    kind: str
    function: Function
    shape: Shape
    listed: bool = False
    platform_only: bool = False
    for_clients: bool = False
