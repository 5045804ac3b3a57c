"""What comes over a socket before it is a request: nothing of it may fill the server's memory."""

import contextlib
import json
import socket
from urllib.parse import urlsplit

import httpx
import pytest

BODY = json.dumps({"instances": ["Anna"], "parameters": {"max_new_tokens": 2}}).encode()
LENGTH = len(BODY)
SENT_BYTES = 4 << 20  # at most, where the end never comes


@pytest.fixture(scope="module")
def address(server):
    parts = urlsplit(server.url)
    return parts.hostname, parts.port


def head(*lines, length=LENGTH):
    lines = ["POST /predict HTTP/1.1", "host: a", "content-type: application/json", *lines]
    lines += [f"content-length: {length}"] if length is not None else ["transfer-encoding: chunked"]
    return "\r\n".join([*lines, "", ""]).encode()


def exchange(address, *parts):
    """Sends the parts as long as somebody listens; returns the answer, and how many bytes were taken."""
    num_sent = 0
    with socket.create_connection(address, timeout=20) as connection:
        with contextlib.suppress(ConnectionError):
            for part in parts:
                connection.sendall(part)
                num_sent += len(part)
        answer = b""
        with contextlib.suppress(ConnectionError):
            while chunk := connection.recv(65536):
                answer += chunk
    return answer, num_sent


def endless(first, piece):
    yield first
    for _ in range(SENT_BYTES // len(piece)):
        yield piece


def test_a_head_of_sixty_kilobytes_is_read(address):
    answer, _ = exchange(address, head("connection: close", f"x-long: {'a' * 60_000}") + BODY)

    assert answer.startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    "lines",
    [(f"x-long: {'a' * 66_000}",), tuple(f"x-{number}: {'a' * 1000}" for number in range(70))],
    ids=["one header", "many headers"],
)
def test_a_longer_head_is_431_with_the_limit(address, lines):
    answer, _ = exchange(address, head(*lines))

    assert answer.startswith(b"HTTP/1.1 431 Request Header Fields Too Large\r\n")
    assert answer.endswith(b"longer than 65536 bytes")


def test_a_longer_request_line_is_431(address):
    answer, _ = exchange(address, f"GET /health?{'a' * 66_000} HTTP/1.1\r\nhost: a\r\n\r\n".encode())

    assert answer.startswith(b"HTTP/1.1 431 ")


@pytest.mark.parametrize(
    ("first", "piece"),
    [
        (b"POST /predict HTTP/1.1\r\nx-endless: ", b"a" * 8192),
        (b"POST /predict?", b"a" * 8192),
        (b"POST /predict HTTP/1.1\r\n", b"".join(b"x-%d: 1\r\n" % number for number in range(1000))),
        (head(length=None) + b"1\r\n[\r\n0\r\nx-endless: ", b"a" * 8192),
    ],
    ids=["a header", "a path", "headers", "a trailer"],
)
def test_what_never_ends_is_cut_long_before_it_fills_the_memory(address, first, piece):
    _, num_sent = exchange(address, *endless(first, piece))

    assert num_sent < SENT_BYTES  # the rest stands in the buffers of two sockets


def test_a_body_in_many_pieces_is_no_long_head(address):
    pieces = [b"%x\r\n%s\r\n" % (len(piece), piece) for piece in (b" " * 5000,) * 100]
    last = b"%x\r\n%s\r\n0\r\nx-trailer: 1\r\n\r\n" % (len(BODY), BODY)

    answer, _ = exchange(address, head("connection: close", length=None), *pieces, last)

    assert answer.startswith(b"HTTP/1.1 200 ")


def test_two_requests_at_once_on_one_connection_are_both_answered_in_their_order(address):
    asked = [b'{"instances": ["Anna"], "parameters": {"max_new_tokens": %d}}' % count for count in (3, 1)]

    first, second = asked
    both = head(length=len(first)) + first + head("connection: close", length=len(second)) + second
    answer, _ = exchange(address, both)

    told = [part.split(b"\r\n\r\n", 1)[1] for part in answer.split(b"HTTP/1.1 200 OK\r\n")[1:]]
    assert [json.loads(body)["predictions"] for body in told] == [
        httpx.post("http://{}:{}/predict".format(*address), content=raw).json()["predictions"] for raw in asked
    ]


@pytest.mark.parametrize(
    "raw", [b"\x00\x01\x02\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET /\r\nhost\r\n\r\n", b"\r\n" * 9]
)
def test_what_is_no_http_is_400_or_nothing_and_the_next_connection_is_served(address, raw):
    with socket.create_connection(address, timeout=20) as connection:
        connection.sendall(raw)
        connection.shutdown(socket.SHUT_WR)
        answer = connection.recv(65536)

    assert answer == b"" or answer.startswith(b"HTTP/1.1 400 ")
    assert httpx.get("http://{}:{}/health".format(*address)).status_code == 200
