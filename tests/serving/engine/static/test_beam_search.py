"""Beam search on transformers' own generation: the same tokens as `generate(num_beams=k)` alone, whoever shares."""

import copy
import dataclasses
import math
import time

import pytest
import torch

from serving.engine.protocol import BatchFailed
from serving.engine.static.transformers_engine import TransformersEngine
from serving.errors import ClientGone, DeadlineExceeded, EngineFailed
from serving.request import GenerateBody
from serving.sequence import Completion, Delta, Sequence
from serving.validation import Limits, validate
from tests.serving.checkpoint.test_folder import open_folder
from tests.serving.conftest import make_causal_folder

LIMITS = Limits(max_input_tokens=64, max_new_tokens=64, default_new_tokens=12, max_beams=8)
PROMPTS = ["Anna asks Ben to bring bread.", "Tom: when?", "6", "Summarize the following text: Mia"]


@pytest.fixture(scope="module", params=["gpt2", "gpt_neox"])
def checkpoint(request, tmp_path_factory):
    """Many tokens end an answer: then some beams end early, as those of a trained model do."""
    folder = tmp_path_factory.mktemp("models") / request.param
    opened = open_folder(make_causal_folder(folder, kind=request.param, seed=1))
    opened.model.generation_config.eos_token_id = [1, *range(20, 40)]
    return opened


@pytest.fixture(scope="module")
def engine(checkpoint):
    return TransformersEngine(checkpoint.model)


def sequence(checkpoint, prompt, *, deadline=math.inf, events=None, is_streaming=False, **parameters):
    return Sequence(
        0,
        validate(GenerateBody(prompt=prompt, **parameters), limits=LIMITS, tokenizer=checkpoint.tokenizer),
        tokenizer=checkpoint.tokenizer,
        deadline=deadline,
        listener=(events if events is not None else []).append,
        is_streaming=is_streaming,
    )


def run(engine, sequences):
    """Steps as the dispatcher does, until all have ended; returns who had ended after each step."""
    steps = []
    while running := [one for one in sequences if not one.is_ended]:
        engine.step(running)
        steps.append([one.is_ended for one in sequences])
    return steps


def generated(checkpoint, one):
    """What transformers gives to that request alone."""
    request = one.request
    ids = torch.tensor([request.prompt_ids])
    beams = {} if request.beams is None else dataclasses.asdict(request.beams)
    options = {"num_beams": beams.pop("num", 1), **beams, "repetition_penalty": request.repetition_penalty}
    (answer,) = checkpoint.model.generate(
        ids,
        attention_mask=torch.ones_like(ids),
        max_new_tokens=request.max_new_tokens,
        do_sample=False,
        pad_token_id=0,
        **options,
    )
    return answer[ids.shape[1] :].tolist()


MIXED = [
    {},
    {"num_beams": 3},
    {"num_beams": 3, "max_new_tokens": 5},
    {"num_beams": 4, "length_penalty": 2.0},
    {"num_beams": 4, "length_penalty": -0.5, "early_stopping": True},
    {"num_beams": 2, "early_stopping": "never", "max_new_tokens": 30},
    {"num_beams": 3, "repetition_penalty": 1.8},
    {"repetition_penalty": 1.8, "max_new_tokens": 30},
]


def test_mixed_requests_get_the_tokens_of_transformers_alone(checkpoint, engine):
    sequences = [sequence(checkpoint, prompt, **asked) for asked in MIXED for prompt in PROMPTS]

    run(engine, sequences)

    for one in sequences:
        assert one.output_ids == generated(checkpoint, one), one.request
    assert {one.outcome.finish_reason for one in sequences} == {"eos", "length"}


def test_a_folders_own_settings_of_a_search_give_way_to_the_requests(checkpoint, monkeypatch):
    settings = copy.deepcopy(checkpoint.model.generation_config)
    settings.num_beams, settings.num_beam_groups, settings.diversity_penalty = 4, 2, 1.0
    settings.min_new_tokens = 10
    sequences = [sequence(checkpoint, PROMPTS[0], num_beams=num) for num in (1, 4)]

    with monkeypatch.context() as patched:
        patched.setattr(checkpoint.model, "generation_config", settings)
        run(TransformersEngine(checkpoint.model), sequences)

    assert [one.output_ids for one in sequences] == [generated(checkpoint, one) for one in sequences]


def test_beams_find_likelier_answers_than_greedy_decoding(checkpoint, engine):
    greedy = sequence(checkpoint, PROMPTS[0])
    beams = sequence(checkpoint, PROMPTS[0], num_beams=8, length_penalty=0.0)
    run(engine, [greedy, beams])

    assert likelihood(checkpoint, beams) > likelihood(checkpoint, greedy)


def likelihood(checkpoint, one):
    ids = torch.tensor([[*one.request.prompt_ids, *one.output_ids]])
    with torch.inference_mode():
        logprobs = checkpoint.model(ids).logits.log_softmax(-1)[0]
    num = len(one.output_ids)
    return sum(logprobs[-num - 1 + step, token].item() for step, token in enumerate(one.output_ids))


def test_each_step_runs_the_kind_of_the_oldest(checkpoint, engine):
    sequences = [sequence(checkpoint, "Tom", num_beams=num, max_new_tokens=4) for num in (1, 3, 1, 2, 3)]

    assert run(engine, sequences) == [
        [True, False, True, False, False],
        [True, True, True, False, True],
        [True, True, True, True, True],
    ]


def test_a_beam_answer_streams_when_it_is_final(checkpoint, engine):
    events = []
    one = sequence(checkpoint, PROMPTS[0], num_beams=3, events=events, is_streaming=True)
    run(engine, [one])

    assert "".join(event.text for event in events if isinstance(event, Delta)) == one.outcome.text
    assert isinstance(events[-1], Completion)
    assert len(set(one.timeline.tokens)) == 1
    assert one.timeline.gaps_s == []


def test_a_stop_text_cuts_the_best_beam(checkpoint, engine):
    whole = sequence(checkpoint, PROMPTS[0], num_beams=3)
    run(engine, [whole])
    text = whole.outcome.text
    stop = text[len(text) // 2 :][:2]
    cut = sequence(checkpoint, PROMPTS[0], num_beams=3, stop=stop)

    run(engine, [cut])

    assert (cut.outcome.text, cut.outcome.finish_reason) == (text[: text.index(stop)], "stop")


class Meddling:
    """The model, with something done at each of its steps."""

    def __init__(self, model, meddle):
        self._model = model
        self._meddle = meddle
        self.num_steps = 0

    def __call__(self, module, args, output):
        self.num_steps += 1
        self._meddle(self.num_steps, output)

    def __enter__(self):
        self._handle = self._model.register_forward_hook(self)
        return self

    def __exit__(self, *_):
        self._handle.remove()


def test_a_cancelled_beam_sequence_ends_at_the_next_step_and_its_batch_goes_on(checkpoint, engine):
    events = []
    leaver = sequence(checkpoint, PROMPTS[0], num_beams=3, max_new_tokens=40, events=events)
    stayer = sequence(checkpoint, PROMPTS[1], num_beams=3, max_new_tokens=40)
    ended_at = []

    def leave(step, _):
        if step == 4:
            leaver.cancel(ClientGone("gone"))
        ended_at.extend([step] if events and not ended_at else [])

    with Meddling(checkpoint.model, leave):
        run(engine, [leaver, stayer])

    assert isinstance(leaver.outcome, ClientGone)
    assert ended_at == [5]
    assert stayer.output_ids == generated(checkpoint, stayer)


def test_a_batch_that_nobody_waits_for_ends_at_once(checkpoint, engine):
    pair = [sequence(checkpoint, prompt, num_beams=3, max_new_tokens=60) for prompt in PROMPTS[:2]]

    with Meddling(checkpoint.model, lambda step, _: [one.cancel(ClientGone("gone")) for one in pair]) as steps:
        run(engine, pair)

    assert steps.num_steps == 1


def test_a_deadline_ends_a_beam_sequence_midway(checkpoint, engine):
    late = sequence(checkpoint, PROMPTS[0], num_beams=3, max_new_tokens=60, deadline=time.monotonic() + 0.05)

    with Meddling(checkpoint.model, lambda *_: time.sleep(0.02)) as steps:
        run(engine, [late])

    assert isinstance(late.outcome, DeadlineExceeded)
    assert steps.num_steps < 60


def test_who_waits_for_another_batch_can_leave_meanwhile(checkpoint, engine):
    events = []
    running = sequence(checkpoint, PROMPTS[0], num_beams=2, max_new_tokens=30)
    gone = sequence(checkpoint, PROMPTS[1], events=events)
    late = sequence(checkpoint, PROMPTS[1], deadline=time.monotonic())
    left_at = []

    def leave(step, _):
        if step == 2:
            gone.cancel(ClientGone("gone"))
        left_at.extend([step] if events and not left_at else [])

    with Meddling(checkpoint.model, leave):
        engine.step([running, gone, late])

    assert left_at == [3]
    assert isinstance(late.outcome, DeadlineExceeded)
    assert running.output_ids == generated(checkpoint, running)


def test_a_search_shows_progress_though_it_has_no_token(checkpoint, engine):
    one = sequence(checkpoint, PROMPTS[0], num_beams=2, max_new_tokens=20)
    seen = []

    with Meddling(checkpoint.model, lambda *_: seen.append((one.num_steps, len(one.output_ids)))):
        run(engine, [one])

    assert seen == [(step, 0) for step in range(len(seen))]
    assert len(seen) > 5


def test_a_beam_row_that_is_not_finite_fails_alone(checkpoint, engine):
    sick, healthy = (sequence(checkpoint, prompt, num_beams=3, max_new_tokens=20) for prompt in PROMPTS[:2])

    def poison(step, output):
        if step == 3:
            output.logits[1, -1, 7] = math.nan  # the second beam of the first sequence

    with Meddling(checkpoint.model, poison):
        run(engine, [sick, healthy])

    assert isinstance(sick.outcome, EngineFailed)
    assert "not finite" in sick.outcome.message
    assert healthy.output_ids == generated(checkpoint, healthy)


def test_a_failed_beam_batch_spares_those_who_wait_for_another(checkpoint, engine):
    beams, greedy = sequence(checkpoint, "Tom", num_beams=2), sequence(checkpoint, "Tom")

    def fail(*_):
        raise RuntimeError("CUDA error")

    with Meddling(checkpoint.model, fail), pytest.raises(BatchFailed) as failed:
        engine.step([beams, greedy])
    run(engine, [greedy])

    assert failed.value.sequences == [beams]
    assert isinstance(greedy.outcome, Completion)


def test_an_encoder_decoder_of_transformers_searches_beams_too(reference, tiny):
    from transformers import AutoTokenizer

    from serving.checkpoint.tokenizer import FolderTokenizer

    _, model = reference
    tokenizer = FolderTokenizer(AutoTokenizer.from_pretrained(tiny).backend_tokenizer)
    sequences = [
        Sequence(
            0,
            validate(GenerateBody(prompt=prompt, num_beams=4), limits=LIMITS, tokenizer=tokenizer),
            tokenizer=tokenizer,
            deadline=math.inf,
            listener=lambda _: None,
        )
        for prompt in PROMPTS
    ]

    run(TransformersEngine(model), sequences)

    for one in sequences:
        ids = torch.tensor([one.request.prompt_ids])
        wanted = model.generate(ids, attention_mask=torch.ones_like(ids), num_beams=4, max_new_tokens=12)[0, 1:]
        assert one.output_ids == wanted.tolist()
