"""One application on one port: `/healthz` for probes, the page at `/`, and headers that keep the page to itself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import gradio as gr
from fastapi import FastAPI
from starlette.datastructures import MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ui.config import UiConfig
from ui.endpoint_client import EndpointClient
from ui.identity import DefaultIdentity, Identity
from ui.page import CSS, JS, build_page, theme

# gradio needs inline styles and scripts, and evaluates its own templates; nothing needs another host
CONTENT_SECURITY_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; worker-src 'self' blob:; object-src 'none'; base-uri 'self'; "
    "form-action 'self'; frame-ancestors 'self'"
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
# The page takes no files; gradio's route for them would fill this machine's disk, which on Cloud Run is its memory.
CLOSED = ("/gradio_api/upload", "/gradio_api/process_recording")


def create_app(config: UiConfig, *, identity: Identity | None = None) -> FastAPI:
    client = EndpointClient(
        config.predict_url,
        endpoint=config.endpoint,
        identity=identity or DefaultIdentity(),
        timeout_s=config.predict_timeout_s,
    )

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await client.aclose()

    app = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(OwnHeaders)

    # For the startup probe and localcloud. (From outside, Google's front end keeps /healthz of run.app to itself.)
    @app.get("/healthz")
    def healthz() -> dict[str, str]:
        return {"status": "ok"}

    return gr.mount_gradio_app(  # type: ignore[no-any-return]
        app,
        build_page(config, client).queue(max_size=256),
        path="/",
        footer_links=[],
        run_history=False,
        show_error=False,
        ssr_mode=False,
        pwa=False,
        mcp_server=False,
        enable_monitoring=False,
        theme=theme(),
        css_paths=[CSS],
        js=JS.read_text(),
    )


class OwnHeaders:
    """Adds the headers to every answer, and closes the routes that the page does not use."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        if scope["path"].rstrip("/") in CLOSED:
            answer = PlainTextResponse("this page takes no files", 404)
            return await answer(scope, receive, send_with_headers)
        return await self._app(scope, receive, send_with_headers)
