"""`python -m serving`: builds every part from the environment and runs the server until SIGTERM."""

from __future__ import annotations

import logging
import os
import sys

from pydantic import ValidationError

from serving.app import create_app
from serving.config import ServerConfig, describe, explain
from serving.dispatch import Dispatcher
from serving.errors import NotReady
from serving.generation import Generator
from serving.lifecycle import Lifecycle
from serving.loading import Loader
from serving.metrics import ServerMetrics
from serving.scheduler import Scheduler
from serving.server import Server
from serving.validation import Limits
from serving.waiting import WaitingLine
from serving.watchdog import Watchdog


def main() -> int:
    if len(sys.argv) > 1:
        print(describe(), file=sys.stdout if sys.argv[1:] == ["--help"] else sys.stderr)
        return 0 if sys.argv[1:] == ["--help"] else 2
    try:
        config = ServerConfig()
    except ValidationError as error:
        print("\n".join(explain(error)), file=sys.stderr)
        return 2
    logging.basicConfig(
        level=config.log_level.upper(), stream=sys.stdout, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    logging.getLogger("uvicorn").setLevel(logging.WARNING)  # serving.server tells its own life
    return compose(config).run()


def compose(config: ServerConfig) -> Server:
    """The whole server, loading already on its way."""
    lifecycle = Lifecycle()
    limits = _limits(config)
    waiting = WaitingLine(
        max_sequences=config.max_waiting,
        max_tokens=config.max_waiting_tokens,
        max_client_share=config.max_client_share,
    )
    scheduler = Scheduler(
        waiting,
        max_batch_size=config.max_batch_size,
        max_batch_tokens=config.max_batch_tokens,
    )

    def on_failure(why: str) -> None:
        lifecycle.failed(why)
        server.fail(why)

    loader = Loader(config, lifecycle=lifecycle, limits=limits, on_failure=on_failure)
    dispatcher = Dispatcher(scheduler, check=loader.check, on_broken=on_failure)

    def on_stall() -> None:
        why = f"the engine has made no token for {config.engine_stall_s:g} s (ENGINE_STALL_S)"
        dispatcher.give_up(NotReady(f"{why}; this server is going away"))
        on_failure(why)

    watchdog = Watchdog(lambda: dispatcher.progress, stall_s=config.engine_stall_s, on_stall=on_stall)
    metrics = ServerMetrics(
        num_waiting=lambda: len(scheduler.waiting),
        num_running=lambda: len(scheduler.running),
        is_ready=lambda: lifecycle.is_healthy,
    )
    generator = Generator(
        dispatcher=dispatcher, lifecycle=lifecycle, limits=limits, metrics=metrics, timeout_s=config.request_timeout_s
    )

    def on_stop() -> None:
        watchdog.stop()
        lifecycle.draining()
        dispatcher.stop(NotReady("the server is going away; send the request to another", retry_after_s=5))

    server = Server(
        create_app(config, generator=generator, lifecycle=lifecycle, metrics=metrics),
        host=config.host,
        port=config.port,
        grace_s=config.shutdown_grace_s,
        on_stop=on_stop,
        is_idle=lambda: metrics.num_open == 0,
        on_grace_over=lambda: dispatcher.abort(NotReady("the server is going away and the grace period is over")),
    )
    watchdog.start()
    loader.start(dispatcher=dispatcher, generator=generator)
    return server


def _limits(config: ServerConfig) -> Limits:
    return Limits(
        max_input_tokens=config.max_input_tokens,
        max_new_tokens=config.max_new_tokens,
        default_new_tokens=config.default_new_tokens,
    )


if __name__ == "__main__":
    status = main()
    logging.shutdown()
    # Not sys.exit: a loader or engine thread may still be inside native code, which an ending interpreter crashes.
    os._exit(status)
