"""HTTP/1.1 on one connection: uvicorn's on httptools, with a bound on the head of a request.

httptools gathers a header of any length; nobody may fill this process's memory with one. Knows no routes.
"""

from __future__ import annotations

from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

MAX_HEAD_BYTES = 65536  # as h11 has it


class Connection(HttpToolsProtocol):
    """Answers 431 where the request line and the headers together are longer than `MAX_HEAD_BYTES`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
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
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._num_held_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._num_held_bytes = 0
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        if self._is_too_large:
            self._refuse()
        else:
            super().send_400_response(msg)

    def _refuse(self) -> None:
        words = f"the request line and its headers are longer than {MAX_HEAD_BYTES} bytes".encode()
        lines = [b"content-type: text/plain", b"connection: close", f"content-length: {len(words)}".encode()]
        self.transport.write(STATUS_LINE[431] + b"\r\n".join([*lines, b"", words]))
        self.transport.close()
