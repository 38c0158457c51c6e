"""Reading a log over HTTP from a server that has its moods."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from amply_verify import audit, source
from amply_verify.audit import audit_log
from amply_verify.errors import RefusedError, UnreadableError
from amply_verify.source import open_log
from amply_verify.trust import Trust
from tests.verifier.conftest import MadeLog, typeid
from tests.verifier.test_cli import run


class Server(ThreadingHTTPServer):
    """Serves files; `mood` may give a status for the nth request of a path instead."""

    daemon_threads = True
    files: dict[str, bytes]
    mood: Callable[[str, int], int | None]

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: Counter[str] = Counter()
        self.lock = threading.Lock()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/log/0"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        server: Any = self.server
        name = self.path.removeprefix("/log/0/")
        with server.lock:
            server.asked[name] += 1
            status = server.mood(name, server.asked[name])
        data = server.files.get(name)
        if status == 0:
            self.wfile.write(b"HTTP/1.0 200 OK\r\nContent-Length: 999999\r\n\r\nshort")
            return
        if status is not None or data is None:
            self.send_error(status or 404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        """Stay silent."""


@pytest.fixture
def server(made_log: MadeLog, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(source, "RETRY_DELAYS_S", (0.0, 0.0, 0.0, 0.0))
    made_log.genesis(typeid("org", 1))
    for _ in range(699):
        made_log.donation(typeid("org", 1))
    with Server() as server:
        server.files = made_log.files()
        server.mood = lambda name, number: None
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_a_log_is_read_over_http_once(server: Server, trust: Trust) -> None:
    assert audit_log(open_log(server.address + "/"), trust).signed.checkpoint.size == 700
    assert set(server.asked.values()) == {1}
    assert server.asked.keys() == server.files.keys()


def test_processes_read_over_http_each_for_itself(
    server: Server, trust: Trust, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "PART_TILES", 1)
    report = audit_log(open_log(server.address), trust, processes=2)
    assert report.signed.checkpoint.size == 700
    assert set(server.asked.values()) == {1}


@pytest.mark.parametrize("status", [429, 500, 503, 0])
def test_what_passes_is_tried_again(server: Server, trust: Trust, status: int) -> None:
    server.mood = lambda name, number: status if number < 3 else None
    assert audit_log(open_log(server.address), trust).signed.checkpoint.size == 700
    assert set(server.asked.values()) == {3}


def test_what_does_not_pass_ends_after_five_tries(server: Server, trust: Trust) -> None:
    server.mood = lambda name, number: 503 if name == "tile/entries/001" else None
    with pytest.raises(UnreadableError, match=r"tile/entries/001 answers HTTP 503 \(5 tries\)"):
        audit_log(open_log(server.address), trust)
    assert server.asked["tile/entries/001"] == 5


@pytest.mark.parametrize("status", [400, 401, 403])
def test_a_refusal_is_not_repeated(server: Server, trust: Trust, status: int) -> None:
    server.mood = lambda name, number: status
    with pytest.raises(UnreadableError, match=f"checkpoint answers HTTP {status}$"):
        audit_log(open_log(server.address), trust)
    assert server.asked == {"checkpoint": 1}


def test_404_names_what_is_missing(server: Server, trust: Trust, capsys: Any, golden: Any) -> None:
    del server.files["tile/entries/001"]
    with pytest.raises(RefusedError, match="tile/entries/001 is missing"):
        audit_log(open_log(server.address), trust)
    code, output = run(capsys, "log", server.address.replace("/log/0", ""), "--key", golden["vkey"])
    assert code == 2
    assert "there is no file `checkpoint`; is this the folder of a log?" in output
