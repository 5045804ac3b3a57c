"""From bodies to answers, for any wire: the event loop's side of the engine. Knows asyncio; no HTTP, no tensors."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncGenerator
from collections.abc import Sequence as Seq
from contextlib import aclosing
from dataclasses import replace

from serving.errors import ClientGone, DeadlineExceeded, NotReady, ServingError
from serving.folder_defaults import FolderDefaults, PromptTemplate
from serving.lifecycle import Lifecycle
from serving.request import PromptBody, ValidRequest
from serving.scheduling.dispatch import Dispatcher
from serving.scheduling.mailbox import Mailbox
from serving.sequence import Completion, Delta, Event, Listener, Sequence, late
from serving.telemetry.context import Work, current
from serving.telemetry.metrics import ServerMetrics
from serving.telemetry.timeline import Timeline
from serving.text import Tokenizer
from serving.validation import Limits, require_fit, validate

# After its deadline a running sequence ends at its next token. If no token comes, the engine hangs: then the
# client is answered anyway.
HANG_S = 5.0

Heard = tuple[int, Event]


class Generator:
    """Takes bodies while the server is healthy. One per server; `attach` when the tokenizer is there."""

    def __init__(
        self, *, dispatcher: Dispatcher, lifecycle: Lifecycle, limits: Limits, metrics: ServerMetrics, timeout_s: float
    ) -> None:
        self._dispatcher = dispatcher
        self._lifecycle = lifecycle
        self._limits = limits
        self._metrics = metrics
        self._timeout_s = timeout_s
        self._tokenizer: Tokenizer | None = None
        self._template: PromptTemplate | None = None
        self._mailbox: Mailbox[Heard] | None = None

    def attach(self, tokenizer: Tokenizer, *, defaults: FolderDefaults, max_beams: int | None = None) -> None:
        """defaults: what the model's folder asks for; a longest answer only where the server's setting does not.

        max_beams: what the engine has room for, where that is less than the server's setting.
        """
        if max_beams is not None:
            self._limits = replace(self._limits, max_beams=min(self._limits.max_beams, max_beams))
        self._template = defaults.template
        if defaults.max_new_tokens is not None:
            longest = min(defaults.max_new_tokens, self._limits.max_new_tokens)
            self._limits = replace(self._limits, default_new_tokens=longest)
        self._tokenizer = tokenizer

    def require_room(self, num_sequences: int = 1, *, client: str) -> None:
        """Raises `NotReady` or `Overloaded` where `submit` would. Worth asking before a body is read.

        A full server must say so at once, and hundreds may hear it in the same moment.
        """
        self._lifecycle.require_healthy()
        # each prompt has one token at least, and may ask for one
        self._dispatcher.require_room(num_sequences, 2 * num_sequences, client=client)

    async def submit(
        self,
        bodies: Seq[PromptBody],
        *,
        client: str = "",
        timeout_s: float | None = None,
        is_streaming: bool = False,
        num_logprobs: int | None = None,
    ) -> Generation:
        """Accepts all bodies or raises: `NotReady`, `InvalidRequest`, `Overloaded`.

        timeout_s: the client's own, from now; the server's REQUEST_TIMEOUT_S holds as well.
        num_logprobs: of how many likely tokens per step the log probabilities are wanted; None: of no token.
        """
        begun = time.monotonic()
        deadline = begun + min(self._timeout_s, timeout_s or math.inf)
        self._lifecycle.require_healthy()
        tokenizer = self._tokenizer
        if tokenizer is None:
            raise NotReady("the tokenizer is not loaded yet; try again in 5 s", retry_after_s=5)
        # again, now for all of them and before their tokens are counted, which takes milliseconds each
        self.require_room(len(bodies), client=client)
        # off the event loop: long prompts take milliseconds each, and /health must answer meanwhile
        requests = await asyncio.to_thread(
            lambda: [
                validate(
                    body,
                    limits=self._limits,
                    tokenizer=tokenizer,
                    template=self._template,
                    client=client,
                    num_logprobs=num_logprobs,
                )
                for body in bodies
            ]
        )
        require_fit(requests, self._limits)
        if self._mailbox is None:  # there is no loop yet when the server is put together
            self._mailbox = Mailbox(asyncio.get_running_loop())
        return Generation(
            requests,
            dispatcher=self._dispatcher,
            mailbox=self._mailbox,
            tokenizer=tokenizer,
            metrics=self._metrics,
            begun=begun,
            deadline=deadline,
            is_streaming=is_streaming,
        )


class Generation:
    """The accepted sequences of one request. Whoever holds it reads its events to the end, or cancels it."""

    def __init__(
        self,
        requests: list[ValidRequest],
        *,
        dispatcher: Dispatcher,
        mailbox: Mailbox[Heard],
        tokenizer: Tokenizer,
        metrics: ServerMetrics,
        begun: float,
        deadline: float,
        is_streaming: bool,
    ) -> None:
        self.begun = begun
        self._dispatcher = dispatcher
        self._metrics = metrics
        self._loop = asyncio.get_running_loop()
        self._mailbox = mailbox
        self._heard: list[Heard] = []
        self._waiter: asyncio.Future[None] | None = None
        self._context = current.get()
        self._is_reported = False
        self._sequences: list[Sequence] = dispatcher.submit(
            requests,
            tokenizer=tokenizer,
            deadline=deadline,
            listener=self._listener,
            is_streaming=is_streaming,
        )
        self._timer = self._loop.call_later(deadline - time.monotonic(), self._expire)

    @property
    def timelines(self) -> list[Timeline]:
        """When things happened to each sequence; `begun` is when its prompt was taken to be read."""
        return [sequence.timeline for sequence in self._sequences]

    @property
    def num_prompt_tokens(self) -> list[int]:
        """Of each sequence."""
        return [len(sequence.request.prompt_ids) for sequence in self._sequences]

    async def completions(self) -> list[Completion]:
        """One completion per body, in their order; the first error ends all of them and is raised."""
        done: dict[int, Completion] = {}
        async with aclosing(self.batches()) as batches:
            async for batch in batches:
                done |= {index: event for index, event in batch if isinstance(event, Completion)}
        return [done[index] for index in range(len(self._sequences))]

    async def batches(self) -> AsyncGenerator[list[tuple[int, Delta | Completion]], None]:
        """What happens to the sequences, as (index, event), all that has gathered since the last time.

        An error cancels the rest and is raised, after what came before it.
        """
        num_left = len(self._sequences)
        try:
            while num_left:
                batch: list[tuple[int, Delta | Completion]] = []
                failure: ServingError | None = None
                for index, event in await self._gathered():
                    if isinstance(event, ServingError):
                        failure = event
                        break
                    num_left -= isinstance(event, Completion)
                    batch.append((index, event))
                if batch:
                    yield batch
                if failure is not None:
                    raise failure
        finally:
            if num_left:
                self.cancel(ClientGone("nobody waits for the rest of this request"))
            self._report()

    def cancel(self, error: ServingError) -> None:
        """Ends what has not ended. Safe to call again, and after the end."""
        self._dispatcher.cancel(self._sequences, error)
        self._report()

    def _report(self) -> None:
        """Tells metrics and the request's context, once, what its sequences took."""
        self._timer.cancel()
        if self._is_reported:
            return
        self._is_reported = True
        for sequence in self._sequences:
            num_prompt_tokens = len(sequence.request.prompt_ids)
            self._metrics.sequence(sequence.timeline, num_prompt_tokens=num_prompt_tokens)
            if self._context is not None:
                self._context.works.append(Work(sequence.timeline, num_prompt_tokens))

    def _expire(self) -> None:
        self._dispatcher.cancel(self._sequences, late(max(len(s.output_ids) for s in self._sequences)))
        self._timer = self._loop.call_later(HANG_S, self._give_up)

    def _give_up(self) -> None:
        why = f"the deadline passed and the engine has made no token for {HANG_S:g} s; try again later"
        self._receive((0, DeadlineExceeded(why)))

    async def _gathered(self) -> list[Heard]:
        """Everything heard and not yet read; waits until there is something."""
        if not self._heard:
            self._waiter = self._loop.create_future()
            await self._waiter
        heard, self._heard = self._heard, []
        return heard

    def _receive(self, heard: Heard) -> None:
        self._heard.append(heard)
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _listener(self, index: int) -> Listener:
        return lambda event: self._mailbox.post(self._receive, (index, event))
