"""What can go wrong between a prompt and its answer, in the words of whoever reads the page.

EndpointError      anything below
├── NotReady       503, or 429 of an endpoint that scaled to zero: the model is loading
├── Busy           429: the queue is full
├── Refused        400, 422: the server's sentence says what to change
│   └── TooLong    413, or one of those about the prompt's length
├── NotDeployed    400 without traffic_split, 404: no model behind the endpoint
├── WrongAddress   400: a dedicated endpoint asked through Google's shared domain
├── Forbidden      403: the page's identity may not predict
├── NoIdentity     401, or no credentials: the page cannot prove who it is
├── TimedOut       no answer in time, here or there (504)
├── Unreachable    no connection
├── Failed         any other answer that is an error
└── BadAnswer      200, but no prediction in it
"""

from __future__ import annotations


class EndpointError(Exception):
    """No answer. `message` is whole sentences: what happened and what to do about it."""

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.retry_after_s = retry_after_s


class NotReady(EndpointError):
    pass


class Busy(EndpointError):
    pass


class Refused(EndpointError):
    pass


class TooLong(Refused):
    pass


class NotDeployed(EndpointError):
    pass


class WrongAddress(EndpointError):
    pass


class Forbidden(EndpointError):
    pass


class NoIdentity(EndpointError):
    pass


class TimedOut(EndpointError):
    pass


class Unreachable(EndpointError):
    pass


class Failed(EndpointError):
    pass


class BadAnswer(EndpointError):
    pass
