"""What Vertex AI lets through to a container, by the type of its endpoint. Knows no HTTP.

The server says so in words before Vertex AI would cut the request with a bare status.
Source: Vertex AI, choose an endpoint type: https://cloud.google.com/vertex-ai/docs/predictions/choose-endpoint-type
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass, replace

from serving.config import ServerConfig
from serving.errors import DeadlineExceeded, InvalidRequest, ServingError

MIB = 1024 * 1024
MARGIN_S = 1.0  # for the way back: an answer that is ready as Vertex AI hangs up reaches nobody


@dataclass(frozen=True, slots=True)
class EndpointLimits:
    """Of one type of endpoint: bytes of a request and of its answer, seconds until Vertex AI hangs up."""

    type: str
    max_bytes: int
    timeout_s: float
    streams: bool

    @property
    def size(self) -> str:
        return f"a {self.type} endpoint of Vertex AI takes at most {self.max_bytes / MIB:g} MB each way"

    def check_answer(self, num_bytes: int) -> None:
        if num_bytes > self.max_bytes:
            raise InvalidRequest(f"the answer has {num_bytes} bytes and {self.size}; send fewer instances{self.larger}")

    def check_stream(self) -> None:
        if not self.streams:
            raise InvalidRequest(
                f"stream is true and a {self.type} endpoint of Vertex AI does not stream; use a dedicated one",
                param="stream",
            )

    @property
    def larger(self) -> str:
        return "" if self.streams else ", or use a dedicated endpoint"

    @property
    def work_s(self) -> float:
        """Seconds that an answer may take here."""
        return max(self.timeout_s - MARGIN_S, self.timeout_s / 2)

    def explained(self, error: ServingError) -> ServingError:
        """`error` with what Vertex AI has to do with it."""
        if isinstance(error, DeadlineExceeded) and self is not FREE:
            why = f"; Vertex AI ends requests to this {self.type} endpoint after {self.timeout_s:g} s"
            return DeadlineExceeded(error.message + why)
        return error


SHARED = EndpointLimits("shared", 3 * MIB // 2, 60, streams=False)
DEDICATED = EndpointLimits("dedicated", 10 * MIB, 600, streams=True)
# No Vertex AI stands in front.
FREE = EndpointLimits("", sys.maxsize, math.inf, streams=True)


def limits_of(config: ServerConfig) -> EndpointLimits:
    """Those of the endpoint that this server stands behind."""
    kind = config.vertex_endpoint or ("dedicated" if config.aip_mode else "")
    limits = {"shared": SHARED, "dedicated": DEDICATED}.get(kind, FREE)
    return replace(limits, timeout_s=config.vertex_timeout_s) if config.vertex_timeout_s and kind else limits
