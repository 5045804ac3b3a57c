"""`python -m serving`: builds every part from the environment and runs the server until SIGTERM.

`python -m serving serve` is the same as SageMaker starts it; `python -m serving key NAME` makes a client's key.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from pydantic import ValidationError

from serving import sagemaker_host
from serving.access.keys import KeysError, new_entry
from serving.app import create_front
from serving.chat import ChatTemplateError
from serving.config import ServerConfig, describe, explain
from serving.errors import NotReady
from serving.generation import Generator
from serving.lifecycle import Lifecycle
from serving.loading import Loader
from serving.scheduler import Scheduler
from serving.scheduling.dispatch import Dispatcher
from serving.scheduling.waiting import WaitingLine
from serving.scheduling.watchdog import Watchdog
from serving.server import Server
from serving.telemetry.logs import configure
from serving.telemetry.metrics import Readings, ServerMetrics
from serving.telemetry.tracing import Tracing, TracingUnavailable
from serving.validation import Limits


def main() -> int:
    arguments = sys.argv[1:]
    if len(arguments) == 2 and arguments[0] == "key":
        return make_key(arguments[1])
    if arguments not in ([], [sagemaker_host.COMMAND]):
        print(describe(), file=sys.stdout if arguments == ["--help"] else sys.stderr)
        return 0 if arguments == ["--help"] else 2
    try:
        config = ServerConfig(**(sagemaker_host.settings(os.environ) if arguments else {}))
    except ValidationError as error:
        print("\n".join(explain(error)), file=sys.stderr)
        return 2
    except sagemaker_host.UnservableHost as error:
        print(error, file=sys.stderr)
        return 2
    configure(config.log_level, config.log_format)
    if config.aip_mode:
        told = (f"{name}={value}" for name, value in sorted(os.environ.items()) if name.startswith("AIP_"))
        logging.getLogger(__name__).info("started by Vertex AI: %s", ", ".join(told))
    try:
        tracing = Tracing(config.otlp_endpoint, model=config.name) if config.otlp_endpoint else None
    except TracingUnavailable as error:
        print(error, file=sys.stderr)
        return 2
    try:
        with _fetched(config) as config:
            return compose(config, tracing=tracing, on_loaded=_keep).run()
    except (KeysError, ChatTemplateError) as error:
        print(error, file=sys.stderr)
        return 2
    finally:
        if tracing is not None:
            tracing.close()


def make_key(name: str) -> int:
    """Prints a new key once, and what goes into KEYS_FILE for it."""
    try:
        key, entry = new_entry(name)
    except KeysError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"The key, for {name} alone; it is not kept anywhere: {key}", file=sys.stderr)
    print(entry, end="")
    return 0


@contextlib.contextmanager
def _fetched(config: ServerConfig) -> Iterator[ServerConfig]:
    """With a folder of its own for what is to be fetched: the image's is read-only, and another process has its own."""
    if not config.storage_uri:
        yield config
        return
    with tempfile.TemporaryDirectory(prefix="model-", ignore_cleanup_errors=True) as folder:
        yield config.model_copy(update={"model_name": config.name, "model_dir": Path(folder)})


def _keep() -> None:
    """Takes all that is there out of the garbage collector's sight: it stays, and to look through it once in a while
    would hold up every request for a tenth of a second."""
    gc.collect()
    gc.freeze()


def compose(
    config: ServerConfig, *, tracing: Tracing | None = None, on_loaded: Callable[[], None] = lambda: None
) -> Server:
    """The whole server, loading already on its way."""
    lifecycle = Lifecycle()
    limits = _limits(config)
    scheduler = _scheduler(config)

    def on_failure(why: str) -> None:
        lifecycle.failed(why)
        server.fail(why)

    loader = Loader(config, lifecycle=lifecycle, limits=limits, on_failure=on_failure, on_loaded=on_loaded)
    metrics = ServerMetrics(_readings(scheduler, lifecycle, loader))
    dispatcher = Dispatcher(scheduler, check=loader.check, on_broken=on_failure, on_step=metrics.step)
    watchdog = _watchdog(config, dispatcher, on_failure)
    generator = Generator(
        dispatcher=dispatcher, lifecycle=lifecycle, limits=limits, metrics=metrics, timeout_s=config.request_timeout_s
    )

    def on_stop() -> None:
        watchdog.stop()
        lifecycle.draining()
        dispatcher.stop(NotReady("the server is going away; send the request to another", retry_after_s=5))

    front = create_front(config, generator=generator, lifecycle=lifecycle, metrics=metrics, tracing=tracing)
    server = Server(
        front.app,
        shed=front.shedder.refusal if front.shedder is not None else None,
        host=config.host,
        port=config.port,
        grace_s=config.shutdown_grace_s,
        on_stop=on_stop,
        is_idle=lambda: metrics.num_open == 0,
        on_grace_over=lambda: dispatcher.abort(NotReady("the server is going away and the grace period is over")),
        on_ended=loader.close,
    )
    watchdog.start()
    loader.start(dispatcher=dispatcher, generator=generator)
    return server


def _scheduler(config: ServerConfig) -> Scheduler:
    waiting = WaitingLine(
        max_sequences=config.max_waiting,
        max_tokens=config.max_waiting_tokens,
        max_client_share=config.max_client_share,
    )
    return Scheduler(waiting, max_batch_size=config.max_batch_size, max_batch_tokens=config.max_batch_tokens)


def _readings(scheduler: Scheduler, lifecycle: Lifecycle, loader: Loader) -> Readings:
    return Readings(
        num_waiting=lambda: len(scheduler.waiting),
        num_tokens_waiting=lambda: scheduler.waiting.num_tokens,
        num_running=lambda: len(scheduler.running),
        num_slots=lambda: loader.num_slots,
        cache_bytes=lambda: loader.cache_bytes,
        num_workers=lambda: len(loader.worker_pids),
        num_workers_replaced=lambda: loader.num_replaced,
        workers_bytes=lambda: loader.workers_bytes,
        is_ready=lambda: lifecycle.is_healthy,
    )


def _watchdog(config: ServerConfig, dispatcher: Dispatcher, on_failure: Callable[[str], None]) -> Watchdog:
    def on_stall() -> None:
        why = f"the engine has made no token for {config.engine_stall_s:g} s (ENGINE_STALL_S)"
        dispatcher.give_up(NotReady(f"{why}; this server is going away"))
        on_failure(why)

    return Watchdog(lambda: dispatcher.progress, stall_s=config.engine_stall_s, on_stall=on_stall)


def _limits(config: ServerConfig) -> Limits:
    share = config.max_client_share if config.client_header or config.keys_file else 1.0
    return Limits(
        max_input_tokens=config.max_input_tokens,
        max_new_tokens=config.max_new_tokens,
        default_new_tokens=config.default_new_tokens,
        max_beams=min(config.max_beams, config.max_batch_size),
        # what could never be admitted, or never wait, is refused at once, in words
        max_held_tokens=config.max_batch_tokens,
        max_request_tokens=int(share * config.max_waiting_tokens),
    )


if __name__ == "__main__":
    status = main()
    logging.shutdown()
    # Not sys.exit: a loader or engine thread may still be inside native code, which an ending interpreter crashes.
    os._exit(status)
