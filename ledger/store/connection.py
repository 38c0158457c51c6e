"""The type of a connection, from a pool or not."""

from typing import Any, TypeAlias

from asyncpg import Connection
from asyncpg.pool import PoolConnectionProxy

# Text, because asyncpg's classes take no parameters outside the type checker.
AnyConnection: TypeAlias = "Connection[Any] | PoolConnectionProxy[Any]"
