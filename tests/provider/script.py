"""A server that answers as a test says: what the local cloud does not do on demand."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Script:
    """A server that gives its answers in order, the last one for ever, and remembers the calls."""

    def __init__(self) -> None:
        self.url = ""
        self.answers: list[tuple[int, Any] | tuple[int, Any, dict[str, str]]] = []
        self.calls: list[tuple[str, str, bytes, dict[str, str]]] = []

    def next(self) -> tuple[int, Any, dict[str, str]]:
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return (*answer, {})[:3]  # type: ignore[return-value]

    @property
    def requests(self) -> list[str]:
        return [f"{method} {path}" for method, path, _, _ in self.calls]


@contextlib.contextmanager
def running_script() -> Iterator[Script]:
    """The server, on a port of its own."""
    script = Script()

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            script.calls.append((self.command, self.path, body, headers))
            status, reply, extra = script.next()
            content = reply if isinstance(reply, bytes) else json.dumps(reply).encode()
            self.send_response(status)
            for name, value in {**extra, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PATCH = do_DELETE = answer  # noqa: N815  http.server looks for these names

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    script.url = f"http://127.0.0.1:{server.server_port}"
    yield script
    server.shutdown()
    thread.join()
    server.server_close()
