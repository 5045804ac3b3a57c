"""`python -m ui`: opens the port, loads the page, serves it until SIGTERM."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import time

from pydantic import ValidationError

from ui.config import UiConfig, explain

SHUTDOWN_GRACE_S = 5


def main() -> int:
    started = time.monotonic()
    try:
        config = UiConfig()
    except ValidationError as error:
        print("\n".join(explain(error)), file=sys.stderr)
        return 2
    try:
        # Open before the seconds of imports: who connects meanwhile waits, and is not refused.
        listener = socket.create_server((config.host, config.port), backlog=128)
    except OSError as error:
        print(f"cannot listen on {config.host}:{config.port}: {error.strerror}; PORT names another", file=sys.stderr)
        return 1
    host, port = listener.getsockname()[:2]
    print(f"starting the page on http://{host}:{port} for {config.endpoint}", flush=True)
    # uvicorn raises the signal again once it has shut down; then, as during the imports, it means: go, all is well
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    signal.signal(signal.SIGINT, lambda *_: sys.exit(0))
    logging.basicConfig(
        level=config.log_level.upper(), stream=sys.stdout, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    logging.getLogger("httpx").setLevel(logging.WARNING)
    serve(config, listener, started=started)
    return 0


def serve(config: UiConfig, listener: socket.socket, *, started: float) -> None:
    # read when gradio is imported
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    os.environ["HF_HUB_OFFLINE"] = "1"
    import uvicorn

    from ui.app import create_app

    server = uvicorn.Server(
        uvicorn.Config(
            create_app(config),
            log_level="warning",
            access_log=False,
            # Cloud Run's front end is the only one that can connect; it says the scheme and host the browser sees
            proxy_headers=True,
            forwarded_allow_ips="*",
            timeout_graceful_shutdown=SHUTDOWN_GRACE_S,
        )
    )
    print(f"the page is ready, after {time.monotonic() - started:.1f} s", flush=True)
    server.run(sockets=[listener])


if __name__ == "__main__":
    sys.exit(main())
