"""Turns a prediction away that the server cannot take, before it is a request of the application.

A full server must say so at once, and hundreds may hear it in the same moment: a task and a dozen middlewares for each
would be four fifths of what a refusal costs. Knows the head of a request and the generator; knows no wire's words.
"""

from __future__ import annotations

from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import Scope

from serving.errors import ServingError
from serving.exchange.identity import client_of
from serving.exchange.journal import Journal
from serving.exchange.observed import REQUEST_ID
from serving.exchange.refusals import Refusals
from serving.generation import Generator
from serving.telemetry.context import current, read


class LoadShedder:
    """Says, counts and logs what `Room` inside of `Observed` would. For servers that let everyone in: where a gate or
    CORS has a say before or after, the application has to be asked.
    """

    def __init__(self, *, generator: Generator, journal: Journal, refusals: Refusals, client_header: str) -> None:
        self._generator = generator
        self._journal = journal
        self._refusals = refusals
        self._client_header = client_header

    def refusal(self, scope: Scope) -> Response | None:
        """The whole answer to a POST that there is no room for; None where the application has to be asked."""
        route = self._journal.route_of(scope["path"])
        if route is None:
            return None
        request = HTTPConnection(scope)
        try:
            self._generator.require_room(client=client_of(request, header=self._client_header))
        except ServingError as error:
            return self._tell(request, f"POST {route}", error)
        return None

    def _tell(self, request: HTTPConnection, what: str, error: ServingError) -> Response:
        context = read(request.headers.get(REQUEST_ID), request.headers.get("traceparent"))
        token = current.set(context)
        try:
            started = self._journal.begin()
            response = self._refusals.response(request, error)
            response.raw_headers.append((REQUEST_ID.encode(), context.request_id.encode()))
            self._journal.end(context, what, started=started, status=response.status_code, failure=error.reason)
        finally:
            current.reset(token)
        return response
