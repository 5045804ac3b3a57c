"""What operators read: `/metrics`. Knows no model, no wire of predictions."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response

from serving.telemetry.metrics import ServerMetrics
from serving.telemetry.prometheus import CONTENT_TYPE


def ops_router(metrics: ServerMetrics) -> APIRouter:
    router = APIRouter(tags=["operations"])

    @router.get("/metrics", summary="Prometheus metrics", response_class=Response)
    async def page() -> Response:
        return Response(metrics.page(), media_type=CONTENT_TYPE)

    return router
