"""Gets the model ready in the background, phase by phase. Knows no HTTP."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from serving.checkpoint.bucket_folder import fetch
from serving.checkpoint.folder import Checkpoint, Wanted, load, runs_on_cpus
from serving.config import ServerConfig
from serving.engine.memory import Plan, Room
from serving.engine.protocol import Engine
from serving.engine.threads import usable_cores
from serving.folder_defaults import FolderDefaults
from serving.generation import Generator
from serving.lifecycle import Lifecycle
from serving.scheduling.dispatch import Dispatcher
from serving.telemetry.process_metrics import proportional_bytes
from serving.text import Tokenizer
from serving.validation import Limits
from serving.warmup import check_golden, read_golden, warm_up
from serving.workers.layouts import candidates
from serving.workers.messages import Layout, Settings
from serving.workers.nursery_process import NurseryProcess
from serving.workers.pool import WorkerPool
from serving.workers.tokenizer_process import load_apart

log = logging.getLogger(__name__)

PROGRESS_S = 10.0


class Loader:
    """Loads, warms up, then opens the door: `generator` gets the tokenizer, `dispatcher` the engine.

    on_loaded: called once, just before.
    """

    def __init__(
        self,
        config: ServerConfig,
        *,
        lifecycle: Lifecycle,
        limits: Limits,
        on_failure: Callable[[str], None],
        on_loaded: Callable[[], None] = lambda: None,
    ) -> None:
        self._config = config
        self._lifecycle = lifecycle
        self._limits = limits
        self._on_failure = on_failure
        self._on_loaded = on_loaded
        self._tokenizer: Tokenizer | None = None
        self._plan: Plan | None = None
        self._nursery: NurseryProcess | None = None
        self._pool: WorkerPool | None = None
        self._layout: Layout | None = None
        self._defaults = FolderDefaults()
        self._is_done = threading.Event()

    @property
    def cache_bytes(self) -> int:
        """Memory of the attention caches; 0 before they are there, and where `transformers` keeps its own."""
        return self._num_engines * self._slots_each * self._plan.slot if self._plan and self._slots_each else 0

    @property
    def _num_engines(self) -> int:
        return self._layout.num_workers if self._layout else 1

    @property
    def _slots_each(self) -> int | None:
        """Of each engine; None where `transformers` has no slots."""
        return self._plan.slots_each(self._num_engines) if self._plan else None

    @property
    def num_slots(self) -> int:
        """Sequences that can run at once."""
        return self._plan.num_slots if self._plan else self._config.max_batch_size

    def start(self, *, dispatcher: Dispatcher, generator: Generator) -> None:
        threading.Thread(target=self._run, args=(dispatcher, generator), name="loader", daemon=True).start()
        threading.Thread(target=self._report, name="loader-progress", daemon=True).start()

    @property
    def worker_pids(self) -> list[int]:
        """Of the worker processes; none where the engine runs in this process."""
        return [worker.pid for worker in self._pool.workers] if self._pool else []

    @property
    def num_replaced(self) -> int:
        """Worker processes that died and have a successor."""
        return self._pool.num_replaced if self._pool else 0

    @property
    def workers_bytes(self) -> int:
        """Memory of the worker processes and of the one whose weights they share; each page counts once."""
        return proportional_bytes([self._nursery.pid, *self.worker_pids]) if self._nursery else 0

    def close(self) -> None:
        """Ends the worker processes; returns when they are gone."""
        if self._pool is not None:
            self._pool.close()
        if self._nursery is not None:
            self._nursery.close()

    def check(self, engine: Engine) -> None:
        """One small generation; raises when the engine is unwell."""
        if self._tokenizer is not None:
            warm_up(engine, tokenizer=self._tokenizer, limits=self._limits)

    def _run(self, dispatcher: Dispatcher, generator: Generator) -> None:
        try:
            engine = self._load()
        # Outermost frame of a thread: without this a failed load would leave a server that never becomes ready.
        except Exception as error:
            log.error("loading failed: %s", error, exc_info=log.isEnabledFor(logging.DEBUG))
            self._on_failure(f"loading failed: {error}")
            return
        finally:
            self._is_done.set()
        if self._tokenizer is not None:
            generator.attach(self._tokenizer, defaults=self._defaults, max_beams=self._slots_each)
        self._on_loaded()
        dispatcher.start(engine)
        self._lifecycle.healthy()

    def _load(self) -> Engine:
        config = self._config
        if config.storage_uri:
            fetch(config.storage_uri, config.model_dir, progress=self._lifecycle)
        defaults = FolderDefaults.of(config.model_dir)
        is_set = "default_new_tokens" in config.model_fields_set
        self._defaults = replace(defaults, max_new_tokens=None) if is_set else defaults
        golden = read_golden(config.model_dir)
        engine, is_float32 = self._raise_workers() if self._wants_workers() else self._load_here()
        tokenizer = self._tokenizer
        assert tokenizer is not None  # noqa: S101 (both have set it)
        self._lifecycle.enter("warming up")
        warm_up(engine, tokenizer=tokenizer, limits=self._limits)
        is_exact = is_float32 and config.quantize == "none"
        check_golden(engine, golden, tokenizer=tokenizer, limits=self._limits, is_exact=is_exact)
        return engine

    def _wants_workers(self) -> bool:
        return self._config.num_workers != 1 and runs_on_cpus(self._config.model_dir, device=self._config.device)

    def _raise_workers(self) -> tuple[Engine, bool]:
        """The engine in worker processes; the tokenizer here."""
        config = self._config
        layouts = candidates(usable_cores(), num_workers=config.num_workers, num_threads=config.num_threads)
        most = max(num_workers for num_workers, _ in layouts)
        wanted = replace(_wanted(config), num_engines=most)
        folder = config.model_dir.resolve()
        nursery = NurseryProcess(Settings(folder, wanted, layouts, config.log_level, config.log_format))
        self._nursery = nursery
        with ThreadPoolExecutor(1) as beside:
            tokenizer = beside.submit(load_apart, config.model_dir)
            loaded = nursery.wait_loaded(self._lifecycle)
            self._tokenizer = tokenizer.result()
        self._lifecycle.enter("measuring layouts of workers and threads")
        self._plan, self._layout = loaded.plan, nursery.choose_layout()
        # before the watchdog loses its patience with all of them
        self._pool = WorkerPool(self._layout, hire=nursery.hire, stall_s=0.9 * config.engine_stall_s)
        return self._pool, loaded.dtype == "float32"

    def _load_here(self) -> tuple[Engine, bool]:
        checkpoint = load(self._config.model_dir, _wanted(self._config), progress=self._lifecycle)
        self._tokenizer = checkpoint.tokenizer
        self._plan = checkpoint.plan
        return _make_engine(checkpoint, self._config), checkpoint.dtype == "float32"

    def _report(self) -> None:
        while not self._is_done.wait(PROGRESS_S):
            snapshot = self._lifecycle.snapshot()
            log.info(
                "still %s (%.0f s since the start)", snapshot.get("phase", "loading"), snapshot.get("elapsed_s", 0)
            )


def _wanted(config: ServerConfig) -> Wanted:
    room = Room(
        config.max_batch_size,
        max_source=config.max_input_tokens,
        max_target=config.max_new_tokens,
        max_beams=min(config.max_beams, config.max_batch_size),
    )
    return Wanted(
        room,
        device=config.device,
        dtype=config.dtype,
        quantize=config.quantize,
        uses_kernels=config.kernels == "auto",
    )


def _make_engine(checkpoint: Checkpoint, config: ServerConfig) -> Engine:
    # here, not above: the import of PyTorch takes seconds and the port is to open first
    from serving.engine.continuous.t5_engine import T5Engine
    from serving.engine.static.transformers_engine import TransformersEngine

    num_threads = config.num_threads or usable_cores()
    if checkpoint.plan is None:
        return TransformersEngine(checkpoint.model, num_threads=num_threads)
    engine = T5Engine.for_model(checkpoint, num_slots=checkpoint.plan.slots_each(1), num_threads=num_threads)
    if not config.num_threads and checkpoint.device == "cpu":
        engine.choose_threads(num_threads)
    return engine
