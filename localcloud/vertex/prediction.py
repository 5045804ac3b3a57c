"""From a prediction request to a replica and back, with the limits of the real service.

Shared endpoints: 1.5 MB each way, 60 s, no streaming. Dedicated ones: 10 MB, up to an hour, streaming,
and only through their own domain. Knows no routes.
Source: Vertex AI, choose an endpoint type; error texts of the real service.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

import httpx

from localcloud.cloud import LocalCloud
from localcloud.errors import ApiError
from localcloud.monitoring.predictions import Answering
from localcloud.runtime.process import Process
from localcloud.store import Document
from localcloud.vertex.endpoints import Endpoints, deployed_of, inference_timeout_s
from localcloud.vertex.models import Models
from localcloud.vertex.replicas import Replicas, routes_of
from localcloud.vertex.traffic import Turns

MIB = 1024 * 1024
SHARED_LIMIT_BYTES, DEDICATED_LIMIT_BYTES = 3 * MIB // 2, 10 * MIB
# Of one connection, not of the message (RFC 9110, 7.6.1), or written anew by the client and the server.
HOP_BY_HOP = frozenset(
    {"connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer", "transfer-encoding"}
    | {"upgrade", "host", "content-length", "accept-encoding", "authorization", "date", "server"}
)


@dataclass(frozen=True)
class Target:
    """The replica that answers one request."""

    endpoint: Document
    deployed: Document
    replica: Process
    predict_route: str
    timeout_s: float
    limit_bytes: int

    def url(self, route: str | None = None) -> str:
        return f"http://127.0.0.1:{self.replica.port}{route or self.predict_route}"


class Predictions:
    """Chooses a replica and talks to it. One HTTP client for all; closed with the application."""

    def __init__(self, cloud: LocalCloud, models: Models, endpoints: Endpoints, replicas: Replicas) -> None:
        self._cloud = cloud
        self._models = models
        self._endpoints = endpoints
        self._replicas = replicas
        self._turns = Turns()
        self._client: httpx.AsyncClient | None = None

    def target(self, name: str, one: Answering, *, on_dedicated_domain: bool, size_bytes: int) -> Target:
        """Raises the refusals that Google's front end gives before any container is asked."""
        endpoint = self._endpoints.find(name)
        self._check_domain(endpoint, on_dedicated_domain=on_dedicated_domain)
        limit = DEDICATED_LIMIT_BYTES if endpoint.get("dedicatedEndpointEnabled") else SHARED_LIMIT_BYTES
        if size_bytes > limit:
            raise _too_large("request", size_bytes, limit)
        split = endpoint["trafficSplit"] or {}
        if not any(split.values()):
            raise ApiError("FAILED_PRECONDITION", f"Endpoint {self._shown(endpoint)} doesn't have traffic_split.")
        deployed = deployed_of(endpoint, self._turns.next(name, split))
        if deployed is None:
            raise ApiError("INTERNAL", f"The traffic split {split} of {name} names a model that is not deployed.")
        one.chosen(endpoint, deployed)
        replica = self._replicas.next_healthy(name, deployed["id"])
        if replica is None:
            raise ApiError("UNAVAILABLE", f"DeployedModel {deployed['id']} has no healthy replica.")
        _, version = self._models.find_version(f"{deployed['model']}@{deployed['modelVersionId']}")
        _, predict_route = routes_of(version["containerSpec"], name, deployed["id"])
        return Target(endpoint, deployed, replica, predict_route, inference_timeout_s(endpoint), limit)

    def _check_domain(self, endpoint: Document, *, on_dedicated_domain: bool) -> None:
        own = self._cloud.dedicated_url.partition("://")[2]
        is_dedicated = bool(endpoint.get("dedicatedEndpointEnabled"))
        if is_dedicated and not on_dedicated_domain:
            raise ApiError(
                "FAILED_PRECONDITION",
                "Dedicated Endpoint cannot be accessed through the shared Vertex AI domain aiplatform.googleapis.com. "
                f"Please access the endpoint using its dedicated domain name '{own}'",
            )
        if on_dedicated_domain and not is_dedicated:
            raise ApiError(
                "FAILED_PRECONDITION",
                f"Endpoint {self._shown(endpoint)} is no Dedicated Endpoint: {own} serves those only. "
                f"Please use {self._cloud.base_url}.",
            )

    async def ask(
        self, target: Target, body: bytes, headers: Mapping[str, str], route: str | None = None
    ) -> httpx.Response:
        """The container's whole answer, whatever its status. Raises when it takes too long, is lost or is too large."""
        try:
            async with asyncio.timeout(target.timeout_s):
                response = await self._http().post(
                    target.url(route), content=body, headers=forwarded(headers), timeout=None
                )
        except TimeoutError as error:
            raise self._timed_out(target) from error
        except httpx.HTTPError as error:
            raise self._lost(target, error) from error
        if len(response.content) > target.limit_bytes:
            raise _too_large("response", len(response.content), target.limit_bytes)
        return response

    async def stream(self, target: Target, body: bytes, headers: Mapping[str, str]) -> httpx.Response:
        """The container's answer with its body still to come: `pieces` reads and closes it."""
        if not target.endpoint.get("dedicatedEndpointEnabled"):
            raise ApiError(
                "FAILED_PRECONDITION",
                f"Endpoint {self._shown(target.endpoint)} is shared: streaming needs a Dedicated Endpoint.",
            )
        request = self._http().build_request(
            "POST", target.url(), content=body, headers=forwarded(headers), timeout=target.timeout_s
        )
        try:
            return await self._http().send(request, stream=True)
        except httpx.TimeoutException as error:
            raise self._timed_out(target) from error
        except httpx.HTTPError as error:
            raise self._lost(target, error) from error

    def answered_by(self, target: Target) -> Document:
        """What Vertex AI adds to the container's predictions."""
        model = self._models.get(f"{target.deployed['model']}@{target.deployed['modelVersionId']}")
        return {
            "deployedModelId": target.deployed["id"],
            "model": model["name"],
            "modelDisplayName": model["displayName"],
            "modelVersionId": target.deployed["modelVersionId"],
        }

    async def close(self) -> None:
        if self._client is not None:
            await self._client.aclose()

    def _http(self) -> httpx.AsyncClient:
        """Made inside the event loop that uses it. Proxy variables of the environment are not for loopback."""
        if self._client is None:
            limits = httpx.Limits(max_connections=None, max_keepalive_connections=64)
            self._client = httpx.AsyncClient(trust_env=False, limits=limits, headers={"accept-encoding": "identity"})
        return self._client

    def _shown(self, endpoint: Document) -> str:
        return self._cloud.projects.numbered(endpoint["name"])

    def _timed_out(self, target: Target) -> ApiError:
        log = self._replicas.log_url(target.replica.spec.log)
        return ApiError("DEADLINE_EXCEEDED", f"Timeout. Model server logs can be found at {log}")

    def _lost(self, target: Target, error: Exception) -> ApiError:
        log = self._replicas.log_url(target.replica.spec.log)
        return ApiError(
            "UNAVAILABLE",
            f"The connection to the model server was lost ({type(error).__name__}). "
            f"Model server logs can be found at {log}",
        )


async def pieces(response: httpx.Response, one: Answering) -> AsyncIterator[bytes]:
    """The body as it comes. Leaving early (the client left) closes the connection to the container."""
    try:
        with one.by_model():
            async for piece in response.aiter_raw():
                yield piece
    finally:
        one.end(response.status_code)
        await response.aclose()


def forwarded(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.lower() not in HOP_BY_HOP}


def _too_large(what: str, size_bytes: int, limit_bytes: int) -> ApiError:
    return ApiError(
        "FAILED_PRECONDITION", f"The {what} size ({size_bytes} bytes) exceeds {limit_bytes / MIB:.3f}MB limit."
    )
