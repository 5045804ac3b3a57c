"""The numbers of this server: what is counted, under which name and unit. Knows no HTTP, no engine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from serving.errors import ServingError
from serving.telemetry.process_metrics import process_metrics
from serving.telemetry.prometheus import Counter, Gauge, Histogram, Metric, ReadCounter, page
from serving.telemetry.timeline import Timeline

LATENCIES = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)
STEPS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60)
SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)

# Ends that are no `ServingError`: the server went away under the request, or our own code is at fault.
ABORTED = "aborted"
INTERNAL = ServingError.reason


@dataclass(frozen=True, slots=True)
class Readings:
    """What is asked for when the page is written."""

    num_waiting: Callable[[], int]
    num_tokens_waiting: Callable[[], int]
    num_running: Callable[[], int]
    num_slots: Callable[[], int]
    cache_bytes: Callable[[], int]
    num_workers: Callable[[], int]
    num_workers_replaced: Callable[[], int]
    workers_bytes: Callable[[], int]
    is_ready: Callable[[], bool]


class ServerMetrics:
    """received = succeeded + failed (by reason) + running, exactly, on every page.

    `begin`, `end` and `page` are called on the event loop's thread alone, which is what makes it exact.
    """

    def __init__(self, readings: Readings) -> None:
        self.num_open = 0
        reasons = [INTERNAL, ABORTED, *sorted(error.reason for error in ServingError.__subclasses__())]
        self.received = Counter("serving_requests_received_total", "Prediction requests whose headers arrived")
        self.succeeded = Counter("serving_requests_succeeded_total", "Prediction requests that were answered in full")
        self.failed = Counter(
            "serving_requests_failed_total",
            "Prediction requests that were not, by reason; overloaded: rejected by the full queue, client_gone: "
            "cancelled by its client",
            known=[{"reason": reason} for reason in reasons],
        )
        self.prompt_tokens = Counter("serving_prompt_tokens_total", "Tokens read, of sequences that left the queue")
        self.generated_tokens = Counter("serving_generated_tokens_total", "Tokens generated, answered or not")
        self.request_seconds = Histogram(
            "serving_request_duration_seconds", "From the headers to the last byte, however it ends", bounds=LATENCIES
        )
        self.queue_seconds = Histogram(
            "serving_queue_duration_seconds", "Of sequences that left the queue for the batch", bounds=LATENCIES
        )
        self.first_token_seconds = Histogram(
            "serving_time_to_first_token_seconds", "From the queue's beginning to the first token", bounds=LATENCIES
        )
        self.inter_token_seconds = Histogram(
            "serving_inter_token_latency_seconds", "From each token of a sequence to its next", bounds=STEPS
        )
        self.step_seconds = Histogram("serving_step_duration_seconds", "Of one step of the engine", bounds=STEPS)
        self.batch_size = Histogram("serving_batch_size", "Sequences that took part in a step", bounds=SIZES)
        self._gauges = self._make_gauges(readings)

    def begin(self) -> None:
        """A request arrived."""
        self.received.add()
        self.num_open += 1

    def end(self, *, failure: str | None, seconds: float) -> None:
        """It has its answer; `failure` says why not."""
        self.num_open -= 1
        if failure is None:
            self.succeeded.add()
        else:
            self.failed.add(reason=failure)
        self.request_seconds.observe(seconds)

    def step(self, num_sequences: int, seconds: float) -> None:
        """The engine took a step. Safe from any thread."""
        self.batch_size.observe(num_sequences)
        self.step_seconds.observe(seconds)

    def sequence(self, timeline: Timeline, *, num_prompt_tokens: int) -> None:
        """A sequence has ended, answered or not."""
        if timeline.queue_s is None:
            return
        self.queue_seconds.observe(timeline.queue_s)
        self.prompt_tokens.add(num_prompt_tokens)
        if timeline.first_token_s is not None:
            self.first_token_seconds.observe(timeline.first_token_s)
            self.inter_token_seconds.observe(*timeline.gaps_s)
            self.generated_tokens.add(len(timeline.tokens))

    def page(self) -> str:
        counted: list[Metric] = [value for value in vars(self).values() if isinstance(value, Counter | Histogram)]
        return page([*counted, *self._gauges])

    def _make_gauges(self, readings: Readings) -> list[Metric]:
        return [
            Gauge("serving_requests_running", "Prediction requests not ended yet", lambda: self.num_open),
            Gauge("serving_sequences_waiting", "Sequences in the queue", readings.num_waiting),
            Gauge("serving_tokens_waiting", "Tokens that the queue may come to hold", readings.num_tokens_waiting),
            Gauge("serving_sequences_running", "Slots used: sequences in the batch", readings.num_running),
            Gauge("serving_slots", "Sequences that can run at once", readings.num_slots),
            Gauge("serving_cache_bytes", "Memory of the attention caches", readings.cache_bytes),
            Gauge("serving_workers", "Engine processes; 0 where the engine runs in this one", readings.num_workers),
            ReadCounter(
                "serving_workers_replaced_total",
                "Engine processes that died and were replaced",
                readings.num_workers_replaced,
            ),
            Gauge("serving_workers_memory_bytes", "Memory of the engine processes together", readings.workers_bytes),
            Gauge("serving_ready", "1 when /health says 200", lambda: float(readings.is_ready())),
            *process_metrics(),
        ]
