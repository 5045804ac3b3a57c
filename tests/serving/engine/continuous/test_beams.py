"""Beam search among running sequences: the tokens of `transformers.generate`, whoever shares the steps."""

import math
import random

import pytest
import torch

from serving.engine.protocol import BatchFailed
from serving.errors import ClientGone
from serving.request import Beams, ValidRequest
from serving.sequence import Completion, Sequence
from tests.serving.engine.continuous.test_t5_engine import assert_equal, engine, run, some
from tests.serving.test_t5 import KINDS, make, needs_kernels, some_tokens
from tests.serving.words import Words

# many tokens end an answer: then some beams end early, as those of a trained model do
EOS = [1, *range(20, 44)]
KINDS_OF_SEARCH = [
    Beams(2),
    Beams(4),
    Beams(8),
    Beams(3, length_penalty=0.0),
    Beams(4, length_penalty=2.0),
    Beams(4, length_penalty=-1.0),
    Beams(4, early_stopping=True),
    Beams(3, length_penalty=2.0, early_stopping="never"),
    Beams(5, length_penalty=0.0, early_stopping="never"),
]


def search(id_, prompt, beams, *, new=24, deadline=math.inf, events=None, **request):
    return Sequence(
        id_,
        ValidRequest(prompt_ids=tuple(prompt), max_new_tokens=new, beams=beams, **request),
        tokenizer=Words(),
        deadline=deadline,
        listener=(lambda event: None) if events is None else events.append,
    )


def searches(count, *, seed=0):
    chance = random.Random(seed)
    return [
        search(
            number,
            some_tokens(chance.randint(1, 60), seed=100 * seed + number),
            chance.choice(KINDS_OF_SEARCH),
            new=chance.randint(1, 30),
            repetition_penalty=chance.choice([1.0, 1.3]),
        )
        for number in range(count)
    ]


def generate(reference, one, *, eos=EOS):
    """What transformers' own beam search gives, alone."""
    request = one.request
    got = reference.generate(
        torch.tensor([request.prompt_ids]),
        max_new_tokens=request.max_new_tokens,
        do_sample=False,
        num_beams=request.beams.num,
        length_penalty=request.beams.length_penalty,
        early_stopping=request.beams.early_stopping,
        repetition_penalty=request.repetition_penalty,
        eos_token_id=eos,
        pad_token_id=0,
        use_cache=reference.config.num_layers == reference.config.num_decoder_layers,
    )
    return got[0, 1:].tolist()


def beams_engine(model, **options):
    return engine(model, **{"eos_ids": frozenset(EOS), "num_slots": 12} | options)


def assert_found(reference, sequences, **options):
    for one in sequences:
        assert isinstance(one.outcome, Completion), one.outcome
        assert one.output_ids == generate(reference, one, **options), one.request


@pytest.mark.parametrize("layout", ["packed", needs_kernels("panels")])
@pytest.mark.parametrize("kind", KINDS)
def test_the_best_beams_tokens_equal_transformers_under_any_arrivals(kind, layout):
    reference, model = make(kind, seed=5, layout=layout)

    assert_found(reference, run(beams_engine(model), searches(24, seed=1), arrive=0.3))


@pytest.mark.parametrize("eos", [[], [1], EOS], ids=["no end", "one end", "many ends"])
@pytest.mark.parametrize("beams", KINDS_OF_SEARCH, ids=str)
def test_every_kind_of_search_finds_what_transformers_finds(beams, eos):
    reference, model = make("Flan-T5", seed=3)
    asked = [search(number, some_tokens(9 + number, seed=number), beams, new=16) for number in range(4)]

    run(beams_engine(model, eos_ids=frozenset(eos)), asked)

    assert_found(reference, asked, eos=eos or None)


def test_beams_and_greedy_sequences_share_steps_and_feel_none_of_each_other():
    reference, model = make("Flan-T5", seed=5)
    plain, beams = some(10, seed=2), searches(10, seed=3)
    mixed = [one for pair in zip(plain, beams, strict=True) for one in pair]

    run(engine(model, num_slots=12), mixed, arrive=0.4)

    assert_equal(reference, plain)
    assert_found(reference, beams, eos=[1])


def test_steps_in_buckets_as_a_gpu_runs_them_find_the_same_beams():
    reference, model = make("Flan-T5", seed=5)

    assert_found(reference, run(beams_engine(model, in_buckets=True), searches(8, seed=4), arrive=0.4))


def test_a_search_that_does_not_fit_yet_is_waited_for_and_nobody_passes_it():
    _, model = make("Flan-T5")
    one = beams_engine(model, num_slots=4, eos_ids=frozenset())
    first, wide, small = (
        search(number, some_tokens(5), beams, new=new)
        for number, (beams, new) in enumerate([(Beams(2), 6), (Beams(4), 3), (Beams(2), 2)])
    )
    running, ended = [first, wide, small], []
    while running:
        one.step(running)
        ended += [sequence.id for sequence in running if sequence.is_ended]
        running = [sequence for sequence in running if not sequence.is_ended]

    assert ended == [0, 1, 2]


def test_a_cancelled_search_leaves_at_the_next_step_and_its_slots_are_free():
    reference, model = make("Flan-T5", seed=5)
    one = beams_engine(model, num_slots=8, eos_ids=frozenset())
    gone, stays = search(0, some_tokens(7), Beams(8), new=40), search(1, some_tokens(9), Beams(8), new=5)
    for _ in range(5):
        one.step([gone, stays])
    gone.cancel(ClientGone("left"))

    one.step([gone, stays])

    assert isinstance(gone.outcome, ClientGone)
    run(one, [stays], arrive=1)
    assert_found(reference, [stays], eos=None)


def test_a_search_ends_at_its_deadline_though_it_has_no_token_yet():
    _, model = make("Flan-T5")
    late = search(0, some_tokens(7), Beams(2), new=40, deadline=0.0)

    run(beams_engine(model), [late])

    assert late.outcome.reason == "deadline_exceeded"
    assert late.num_steps == 1


def test_every_step_counts_as_progress_and_all_tokens_come_at_the_end():
    _, model = make("Flan-T5")
    events = []
    one = search(0, some_tokens(7), Beams(2), new=10, events=events)
    running = beams_engine(model, eos_ids=frozenset())

    for number in range(1, 10):
        running.step([one])
        assert (one.num_steps, one.output_ids, events) == (number, [], [])
    running.step([one])

    assert len(one.output_ids) == 10
    assert len(events) == 1


def test_a_search_whose_numbers_are_not_finite_fails_alone(monkeypatch):
    reference, model = make("Flan-T5", seed=5)
    broken, well = search(0, some_tokens(8), Beams(3), new=8), search(1, some_tokens(9), Beams(3), new=8)
    one = beams_engine(model)
    scores = model.scores

    def spoilt(states):
        got = scores(states)
        got[1] = math.nan  # of the first search's second beam
        return got

    monkeypatch.setattr(model, "scores", spoilt)
    one.step([broken, well])
    monkeypatch.undo()
    run(one, [well], arrive=1)

    assert "not finite" in broken.outcome.message
    assert_found(reference, [well])


def test_a_search_goes_on_in_rows_that_memory_had_run_out_for_once_it_is_alone(monkeypatch):
    reference, model = make("Flan-T5", seed=5)
    one = beams_engine(model, num_slots=8)
    asked = [search(number, some_tokens(8, seed=number), Beams(4), new=8) for number in range(2)]
    decode = model.decode
    monkeypatch.setattr(model, "decode", lambda *_: (_ for _ in ()).throw(torch.OutOfMemoryError("out of memory")))
    with pytest.raises(BatchFailed) as failed:
        one.step(asked)
    monkeypatch.setattr(model, "decode", decode)

    assert failed.value.sequences == asked[1:]
    wide = search(2, some_tokens(5), Beams(8), new=6)
    run(one, [asked[0], wide], arrive=1)
    assert_found(reference, [asked[0], wide])
