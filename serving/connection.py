"""HTTP/1.1 on one connection: uvicorn's on httptools, with a bound on the head of a request, and a way to turn it away.

httptools gathers a header of any length; nobody may fill this process's memory with one. Knows no routes.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, cast

from starlette.responses import Response
from starlette.types import Scope
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

MAX_HEAD_BYTES = 65536  # as h11 has it

# The answer to the head of a POST that is turned away; None for what the application has to be asked.
Shed = Callable[[Scope], Response | None]

# What needs no decoding. Other paths, and a URL with a host in front, are the application's.
_PLAIN_PATH = re.compile(rb"(/[A-Za-z0-9/._~:-]*)(?:\?|\Z)")


class Connection(HttpToolsProtocol):
    """Answers 431 where the request line and the headers together are longer than `MAX_HEAD_BYTES`.

    What `shed` has an answer for never is a request of the application: no task, no middleware. Such answers are sent
    when all that has arrived is read: each wakes a client, which would take the core while others wait for theirs.
    """

    def __init__(self, *args: Any, shed: Shed | None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._shed = shed
        self._is_turned_away = False
        self._answers: list[bytes] = []  # of those turned away, not sent yet
        self._is_ending = False
        self._is_in_head = True
        self._num_held_bytes = 0  # that the parser has taken and not passed on
        self._is_too_large = False

    def data_received(self, data: bytes) -> None:
        self._num_held_bytes += len(data)
        super().data_received(data)
        if self._num_held_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
            self._refuse()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._is_in_head = True

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._is_in_head:  # what follows a body in chunks is for nobody here
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._is_in_head, self._num_held_bytes = False, 0
        num_bytes = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        if num_bytes > MAX_HEAD_BYTES:
            self._is_too_large = True
            raise ValueError("the head is too large")  # ends the parsing; `send_400_response` follows
        response = self._refusal()
        if response is not None:
            self._turn_away(response)
        else:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._num_held_bytes = 0
        if not self._is_turned_away:
            super().on_body(body)

    def on_message_complete(self) -> None:
        self._num_held_bytes = 0
        if not self._is_turned_away:
            super().on_message_complete()
            return
        self._is_turned_away = False
        if not self._is_kept():
            # not before: what is still unread when a connection is closed has the system drop the answer, too
            self._is_ending = True
            self.loop.call_soon(self._send_answers)
        elif self.timeout_keep_alive_task is None:  # each part of the body has put off the end of an idle connection
            self.on_response_complete()

    def shutdown(self) -> None:
        self._send_answers()
        super().shutdown()

    def send_400_response(self, msg: str) -> None:
        if self._is_too_large:
            self._refuse()
        else:
            self._send_answers()
            super().send_400_response(msg)

    def _refusal(self) -> Response | None:
        """`shed`'s, where it may be asked: answers keep the order of their requests."""
        is_free = self.cycle is None or self.cycle.response_complete
        if self._shed is None or not is_free or self.parser.get_method() != b"POST" or self.parser.should_upgrade():
            return None
        path = _PLAIN_PATH.match(self.url)
        if path is None:
            return None
        self.scope["method"], self.scope["path"] = "POST", path[1].decode()
        return self._shed(cast("Scope", self.scope))

    def _turn_away(self, response: Response) -> None:
        self._is_turned_away = True
        headers = [*self.server_state.default_headers, *response.raw_headers]
        if not self._is_kept():
            headers.append((b"connection", b"close"))
        lines = [name + b": " + value + b"\r\n" for name, value in headers]
        if not self._answers:
            self.loop.call_soon(self._send_answers)
        self._answers.append(b"".join([STATUS_LINE[response.status_code], *lines, b"\r\n", response.body]))
        self.on_response_complete()

    def _send_answers(self) -> None:
        if self._answers and not self.transport.is_closing():
            self.transport.write(b"".join(self._answers))
        self._answers.clear()
        if self._is_ending:
            self.transport.close()

    def _is_kept(self) -> bool:
        return self.parser.get_http_version() != "1.0" and self.parser.should_keep_alive()

    def _refuse(self) -> None:
        self._send_answers()
        words = f"the request line and its headers are longer than {MAX_HEAD_BYTES} bytes".encode()
        lines = [b"content-type: text/plain", b"connection: close", f"content-length: {len(words)}".encode()]
        self.transport.write(STATUS_LINE[431] + b"\r\n".join([*lines, b"", words]))
        self.transport.close()
