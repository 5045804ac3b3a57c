"""Continuous batching against transformers' generate, one prompt at a time; and what fails alone."""

import json
import math
import random
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForSeq2SeqLM

from serving.engine.continuous.intake import QUEUE, WATCHED_GAP, spare_seconds
from serving.engine.continuous.t5_engine import T5Engine
from serving.engine.protocol import BatchFailed
from serving.errors import ClientGone
from serving.request import Sampling, ValidRequest
from serving.sequence import Completion, Sequence
from tests.serving.checkpoint.test_folder import open_folder
from tests.serving.test_t5 import KINDS, make, needs_kernels, ours
from tests.serving.words import Words

EMBEDDED = Path(__file__).parents[4] / "models" / "dialogue-t5-mini"


def sequence(id_, prompt, *, new=10, deadline=math.inf, **request):
    return Sequence(
        id_,
        ValidRequest(prompt_ids=tuple(prompt), max_new_tokens=new, **request),
        tokenizer=Words(),
        deadline=deadline,
        listener=lambda event: None,
    )


def engine(model, **options):
    defaults = {"eos_ids": frozenset([1]), "num_slots": 4, "max_source": 128, "max_target": 64, "max_run_tokens": 96}
    return T5Engine(model, **defaults | options)


def run(engine, sequences, *, seed=0, arrive=0.5):
    """Steps until all have ended; each waits for its turn to arrive, by chance."""
    chance = random.Random(seed)
    waiting, running = list(sequences), []
    while waiting or running:
        while waiting and chance.random() < arrive:
            running.append(waiting.pop(0))
        engine.step(running)
        running = [one for one in running if not one.is_ended]
    return sequences


def generate(reference, one):
    """What transformers gives, alone; and by how little its nearest choice won, in log-probability."""
    got = reference.generate(
        torch.tensor([one.request.prompt_ids]),
        max_new_tokens=one.request.max_new_tokens,
        do_sample=False,
        num_beams=1,
        # with it, transformers fails where the decoder has more layers than the encoder
        use_cache=reference.config.num_layers == reference.config.num_decoder_layers,
        output_scores=True,
        return_dict_in_generate=True,
    )
    margins = [scores[0].topk(2).values.diff().abs().item() for scores in got.scores]
    return got.sequences[0, 1:].tolist(), min(margins)


def some(count, *, vocab=120, longest=90, seed=0):
    chance = random.Random(seed)
    return [
        sequence(
            number,
            [chance.randrange(2, vocab) for _ in range(chance.randint(1, longest))],
            new=chance.randint(1, 40),
        )
        for number in range(count)
    ]


def assert_equal(reference, sequences):
    """Token for token. Two sums in float32 may order a tie differently: none of these prompts comes that near."""
    for one in sequences:
        wanted, margin = generate(reference, one)
        assert margin > 1e-5
        assert one.output_ids == wanted


@pytest.mark.parametrize("layout", ["packed", needs_kernels("panels")])
@pytest.mark.parametrize("own_output", [False, True], ids=["shared output layer", "own output layer"])
@pytest.mark.parametrize("kind", KINDS)
def test_greedy_tokens_equal_transformers_under_any_arrivals_and_departures(kind, own_output, layout):
    reference, model = make(kind, own_output=own_output, seed=5, layout=layout)

    assert_equal(reference, run(engine(model, num_threads=2), some(12, seed=1), arrive=0.4))


def test_steps_in_buckets_as_a_gpu_runs_them_give_the_same_tokens():
    reference, model = make("Flan-T5", seed=5)
    one = engine(model, num_slots=5, in_buckets=True)

    assert_equal(reference, run(one, some(12, seed=1), arrive=0.4))
    # rows 1, 2, 4 and 5; keys 64; source 64 and 128: what was recorded once is used again
    assert one.num_buckets <= 8


def test_int8_as_a_gpu_computes_it_gives_the_same_tokens_in_buckets_and_alone():
    reference, _ = make("Flan-T5", seed=5)
    model = int8_dynamic(reference)
    alone = [run(engine(model), [one])[0].output_ids for one in some(12, seed=1)]

    together = run(engine(model, num_slots=5, in_buckets=True), some(12, seed=1), arrive=0.4)

    assert [one.output_ids for one in together] == alone


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_on_a_gpu_int8_gives_what_it_gives_on_a_cpu():
    reference, _ = make("Flan-T5", seed=5)
    wanted = run(engine(int8_dynamic(reference), num_slots=5), some(12, seed=1), arrive=0.4)

    got = run(engine(int8_dynamic(reference, device="cuda"), num_slots=5), some(12, seed=1), arrive=0.4)

    # attention adds up in another order there, so near ties may differ
    assert sum(a.output_ids == b.output_ids for a, b in zip(got, wanted, strict=True)) >= 11


def int8_dynamic(reference, **options):
    tensors = {name: tensor for name, tensor in reference.state_dict().items() if "embed_tokens" not in name}
    return ours(json.loads(reference.config.to_json_string()), tensors, layout="int8-dynamic", **options)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_on_a_gpu_graphs_give_what_transformers_gives_there_in_float32():
    reference, _ = make("Flan-T5", seed=5)
    tensors = {name: tensor for name, tensor in reference.state_dict().items() if "embed_tokens" not in name}
    model = ours(json.loads(reference.config.to_json_string()), tensors, layout="plain", device="cuda")
    sequences = run(engine(model, num_slots=5), some(12, seed=1), arrive=0.4)

    agreed = [one.output_ids == generate(reference, one)[0] for one in sequences]
    # a GPU adds up in another order, so near ties may differ
    assert sum(agreed) >= 11


@pytest.mark.skipif(not EMBEDDED.is_dir(), reason="models/dialogue-t5-mini is not there")
def test_the_embedded_models_tokens_equal_transformers_on_its_own_prompts():
    checkpoint = open_folder(EMBEDDED)
    prompts = [case["prompt"] for case in json.loads((EMBEDDED / "golden.json").read_text())]
    prompts += [prompt[: len(prompt) // 2] for prompt in prompts] + ["Summarize: Tom: bread? Mia: at six."]
    sequences = [sequence(number, checkpoint.tokenizer.encode(prompt), new=48) for number, prompt in enumerate(prompts)]

    run(engine(checkpoint.model, max_source=256), sequences, arrive=0.3)

    assert_equal(AutoModelForSeq2SeqLM.from_pretrained(EMBEDDED).eval(), sequences)


@pytest.mark.parametrize(
    "layout", ["packed", "int8", "int8-dynamic", needs_kernels("panels"), needs_kernels("int8-panels")]
)
def test_a_sequences_tokens_do_not_depend_on_who_shares_its_batch(layout):
    reference, _ = make("Flan-T5", seed=2)
    tensors = {name: tensor for name, tensor in reference.state_dict().items() if "embed_tokens" not in name}
    model = ours(json.loads(reference.config.to_json_string()), tensors, layout=layout)
    settings = [
        {},
        {"sampling": Sampling(seed=11, temperature=1.5)},
        {"sampling": Sampling(seed=12, top_k=9, top_p=0.9), "repetition_penalty": 1.3},
        {"repetition_penalty": 2.0},
    ]

    def fresh():
        return [sequence(one.id, one.request.prompt_ids, new=30, **settings[one.id % 4]) for one in some(12, seed=3)]

    alone = [run(engine(model, num_slots=1), [one])[0].output_ids for one in fresh()]
    for seed, slots, arrive in ((1, 4, 0.9), (2, 7, 0.3), (3, 12, 1.0)):
        together = run(engine(model, num_slots=slots, max_run_tokens=300), fresh(), seed=seed, arrive=min(arrive, 0.99))
        assert [one.output_ids for one in together] == alone


def test_a_freed_slot_is_refilled_at_the_next_step():
    _, model = make("Flan-T5")
    two = engine(model, num_slots=2, eos_ids=frozenset())
    short, long, next_one = sequence(0, [5], new=2), sequence(1, [6], new=20), sequence(2, [7], new=20)
    everyone = [short, long, next_one]

    two.step(everyone)
    two.step(everyone)
    assert (short.is_ended, len(long.output_ids), len(next_one.output_ids)) == (True, 2, 0)
    for _ in range(10):
        two.step(everyone[1:])
        if next_one.output_ids:
            break

    assert next_one.output_ids
    assert len(long.output_ids) == 2 + _ + 1


def test_a_long_prompt_is_encoded_between_the_steps_of_those_who_run(monkeypatch):
    _, model = make("Flan-T5")
    one = engine(model, eos_ids=frozenset(), max_source=2048)
    runs, comes = sequence(0, [5, 6], new=50), sequence(1, [7] * 2000, new=2)
    slices = []
    encode_slice = model.encode_slice
    monkeypatch.setattr(model, "encode_slice", lambda index, *rest: slices.append(index) or encode_slice(index, *rest))
    one.step([runs])
    slices.clear()

    steps = 0
    while not comes.output_ids:
        before = len(slices)
        one.step([runs, comes])
        steps += 1
        assert len(runs.output_ids) == 1 + steps
        # 2000 tokens take longer than a step of one row: one slice at a time
        assert len(slices) - before <= 2

    assert slices == list(range(model.num_slices))


def spare(num_rows, num_waiting, *, num_behind=0, is_watched=False, step_s=0.002, alone_s=0.001):
    """In steps."""
    counts = {"num_rows": num_rows, "num_waiting": num_waiting, "num_behind": num_behind}
    return spare_seconds(**counts, is_watched=is_watched, step_s=step_s, alone_s=alone_s) / step_s


def test_a_crowd_of_newcomers_holds_up_those_who_run_where_nobody_reads_their_tokens_as_they_come():
    assert spare(16, 2) == 1
    assert spare(2, 14) > 10


def test_tokens_that_are_read_as_they_come_have_gaps_of_a_few_steps_of_one_alone_however_many_run():
    few, more, many = (
        step_s + spare(8, 2, num_behind=1, is_watched=True, step_s=step_s) * step_s for step_s in (0.001, 0.002, 0.004)
    )

    assert few == more == pytest.approx(WATCHED_GAP * 0.001)
    # one slice then, unless a queue has formed
    assert many < 1.5 * 0.004


def test_the_longer_the_queue_of_newcomers_the_more_of_the_time_is_theirs_up_to_half_of_it():
    shares = [spare(8, behind + 1, num_behind=behind, is_watched=True, step_s=0.004) for behind in range(30)]

    assert shares == sorted(shares)
    assert shares[0] <= 0
    assert shares[QUEUE] == shares[-1] == 1


def test_waiting_sequences_are_encoded_oldest_first_and_none_is_overtaken():
    _, model = make("Flan-T5")
    one = engine(model, num_slots=3, eos_ids=frozenset(), max_run_tokens=64)
    everyone = [sequence(0, [5] * 60, new=5), sequence(1, [6] * 60, new=5), *(sequence(i, [7], new=5) for i in (2, 3))]
    order = []

    while not all(s.is_ended for s in everyone):
        one.step([s for s in everyone if not s.is_ended])
        order += [s.id for s in everyone if s.output_ids and s.id not in order]

    assert order == [0, 1, 2, 3]


def test_a_cancelled_or_late_sequence_leaves_its_slot_within_a_step():
    _, model = make("Flan-T5")
    one = engine(model, num_slots=2, eos_ids=frozenset())
    gone, late, next_one = sequence(0, [5], new=60), sequence(1, [6], new=60, deadline=0.0), sequence(2, [7], new=3)

    one.step([gone, late])
    gone.cancel(ClientGone("left"))
    one.step([gone, late, next_one])
    assert [gone.outcome.reason, late.outcome.reason] == ["client_gone", "deadline_exceeded"]
    one.step([next_one])

    assert next_one.output_ids


def test_who_is_no_longer_running_is_forgotten_wherever_it_was():
    reference, model = make("Flan-T5", seed=5)
    one = engine(model, num_slots=2)
    one.step([sequence(0, [5, 6], new=40), sequence(1, [7, 8], new=40), sequence(2, [9], new=40)])

    assert_equal(reference, run(one, some(4, seed=1)))


def poison(model, monkeypatch, token, value):
    embed = model.embed

    def poisoned(ids):
        states = embed(ids)
        states[ids == token] = value
        return states

    monkeypatch.setattr(model, "embed", poisoned)


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("layout", ["packed", "int8", "plain", needs_kernels("panels"), needs_kernels("int8-panels")])
def test_a_prompt_that_computes_no_finite_number_fails_alone_and_leaves_no_trace(monkeypatch, layout, value):
    reference, _ = make("Flan-T5", seed=5)
    tensors = {name: tensor for name, tensor in reference.state_dict().items() if "embed_tokens" not in name}
    model = ours(json.loads(reference.config.to_json_string()), tensors, layout=layout)
    wanted = [one.output_ids for one in run(engine(model), some(8, seed=1))]
    poison(model, monkeypatch, 119, value)

    sequences = some(8, seed=1)
    bad = [sequence(90 + number, [5, 119, 6], new=20) for number in range(3)]
    one = engine(model, num_slots=3)
    run(one, [sequences[0], bad[0], *sequences[1:4], bad[1], bad[2], *sequences[4:]], arrive=0.9)

    assert [s.outcome.reason for s in bad] == ["engine_failed"] * 3
    assert "not finite" in bad[0].outcome.message
    assert [s.output_ids for s in sequences if 119 not in s.request.prompt_ids] == [
        tokens for tokens, s in zip(wanted, sequences, strict=True) if 119 not in s.request.prompt_ids
    ]


def failing(monkeypatch, model, name, *, times, error):
    real = getattr(model, name)
    left = [times]

    def fails(*arguments):
        if left[0]:
            left[0] -= 1
            raise error
        return real(*arguments)

    monkeypatch.setattr(model, name, fails)


def test_a_failed_encoding_fails_its_newcomers_and_not_those_who_run(monkeypatch):
    _, model = make("Flan-T5")
    one = engine(model, eos_ids=frozenset())
    runs, comes, later = sequence(0, [5], new=6), sequence(1, [6], new=3), sequence(2, [7], new=3)
    one.step([runs])
    failing(monkeypatch, model, "encode_slice", times=1, error=RuntimeError("boom"))

    with pytest.raises(BatchFailed) as failed:
        one.step([runs, comes])
    assert failed.value.sequences == [comes]
    run(one, [runs, later])

    assert [type(s.outcome) for s in (runs, later)] == [Completion, Completion]
    assert len(runs.output_ids) == 6


def test_a_failed_step_fails_those_in_it_and_the_next_batch_is_served(monkeypatch):
    reference, model = make("Flan-T5", seed=5)
    one = engine(model, num_slots=2)
    lost = [sequence(0, [5], new=9), sequence(1, [6], new=9)]
    one.step(lost)
    failing(monkeypatch, model, "decode", times=1, error=RuntimeError("boom"))

    with pytest.raises(BatchFailed) as failed:
        one.step(lost)

    assert failed.value.sequences == lost
    assert_equal(reference, run(one, some(4, seed=1)))


def test_memory_that_runs_out_in_a_step_costs_the_youngest_half_and_some_slots(monkeypatch):
    reference, model = make("Flan-T5", seed=5)
    one = engine(model, eos_ids=frozenset())
    four = [sequence(number, [5 + number], new=12) for number in range(4)]
    one.step(four)
    failing(monkeypatch, model, "decode", times=1, error=torch.OutOfMemoryError("out of memory"))

    with pytest.raises(BatchFailed) as failed:
        one.step(four)
    assert failed.value.sequences == four[2:]
    assert one.num_slots == 2
    while not all(s.is_ended for s in four[:2]):
        one.step(four[:2])

    assert [len(s.output_ids) for s in four[:2]] == [12, 12]
    assert_equal(reference, run(engine(model), some(4, seed=1)))


def test_memory_that_runs_out_for_several_prompts_is_tried_again_with_fewer_of_them(monkeypatch):
    reference, model = make("Flan-T5", seed=5)
    one = engine(model)
    four = some(4, seed=1, longest=20)
    failing(monkeypatch, model, "encode_slice", times=1, error=torch.OutOfMemoryError("out of memory"))

    while not all(s.is_ended for s in four):
        one.step([s for s in four if not s.is_ended])

    assert_equal(reference, four)


def test_a_prompt_that_alone_is_too_much_fails_and_the_slots_come_back_with_time(monkeypatch):
    _, model = make("Flan-T5")
    one = engine(model, eos_ids=frozenset())
    big = sequence(0, [5] * 100, new=3)
    failing(monkeypatch, model, "encode_slice", times=1, error=RuntimeError("[enforce] can't allocate memory: 9 bytes"))

    with pytest.raises(BatchFailed) as failed:
        one.step([big])
    assert failed.value.sequences == [big]
    failing(monkeypatch, model, "decode", times=1, error=torch.OutOfMemoryError("out of memory"))
    two = [sequence(1, [5], new=60), sequence(2, [6], new=60)]
    with pytest.raises(BatchFailed):
        one.step(two)
    assert one.num_slots == 1
    for number in range(12):
        run(one, [sequence(10 + number, [5], new=60)])

    assert one.num_slots == 4
