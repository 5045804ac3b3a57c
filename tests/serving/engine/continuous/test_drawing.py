"""Draws against transformers' own logits processors, row by row and in distribution."""

import random

import pytest
import torch
from transformers import (
    LogitsProcessorList,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from serving.engine.continuous import sampling
from serving.engine.continuous.drawing import Draw, draw
from serving.request import Sampling, ValidRequest

VOCAB = 50


class Given:
    """An output layer whose scores are the states themselves."""

    def __init__(self, *, has_best=False):
        self.has_best = has_best

    def best(self, x_BM):
        best = x_BM.max(-1)
        return best.indices.tolist(), best.values.tolist()

    def scores(self, x_BM):
        return x_BM.clone()


def row(tokens=(0,), *, penalty=1.0, greedy=False, **sampling):
    request = ValidRequest(
        prompt_ids=(1,),
        max_new_tokens=9,
        sampling=None if greedy else Sampling(**sampling),
        repetition_penalty=penalty,
    )
    return Draw(request, list(tokens))


def some_scores(*shape, seed=0):
    return 3 * torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def probabilities(scores, tokens, *, penalty=1.0, temperature=1.0, top_k=0, top_p=1.0):
    """What transformers' generate would draw from."""
    processors = LogitsProcessorList()
    if penalty != 1:
        processors.append(RepetitionPenaltyLogitsProcessor(penalty))
    if temperature != 1:
        processors.append(TemperatureLogitsWarper(temperature))
    if top_k:
        processors.append(TopKLogitsWarper(top_k))
    if top_p < 1:
        processors.append(TopPLogitsWarper(top_p))
    return processors(torch.tensor([tokens]), scores[None].clone())[0].softmax(-1)


SETTINGS = [
    {},
    {"temperature": 0.5},
    {"temperature": 2.5, "top_k": 7},
    {"top_p": 0.8},
    {"top_k": 20, "top_p": 0.6, "temperature": 1.7},
    {"top_k": 1},
    {"top_p": 0.01},
    {"penalty": 1.8, "top_k": 10},
    {"penalty": 0.6, "temperature": 0.8, "top_p": 0.9},
    {"top_k": 1000},
]


@pytest.fixture(params=[3, sampling.FIRST_LOOK], ids=["looks again", "one look"])
def look(request, monkeypatch):
    """How many of the likeliest tokens are looked at first: few, so that they seldom decide, or all of these tests."""
    monkeypatch.setattr(sampling, "FIRST_LOOK", request.param)
    monkeypatch.setattr(sampling, "WIDER", 2)


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
def test_draws_follow_transformers_distribution(setting, look):
    scores, tokens, count = some_scores(VOCAB), [0, 5, 9, 5], 4000
    rows = [row(tokens, seed=None, **setting) for _ in range(count)]
    for number, one in enumerate(rows):
        one.chance = random.Random(number)

    drawn, finite = draw(scores.expand(count, -1), rows, Given())

    expected = probabilities(scores, tokens, **setting) * count
    seen = torch.bincount(torch.tensor(drawn), minlength=VOCAB)
    assert all(finite)
    assert seen[expected == 0].sum() == 0
    likely = expected >= 5
    square = ((seen - expected)[likely] ** 2 / expected[likely]).sum().item()
    # five deviations above the mean of chi-square: the seeds are fixed, so this never fails by chance
    freedom = max(int(likely.sum()) - 1, 1)
    assert square < freedom + 5 * (2 * freedom) ** 0.5


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
def test_what_is_kept_is_what_transformers_keeps_to_the_token(setting, look):
    scores, tokens = some_scores(40, VOCAB, seed=1), [0, 3, 3, 49]
    grid = [*torch.linspace(0, 1, 200).tolist()[:-1], 1 - 2**-53]
    kept, drawn_at = set(), {}
    for uniform in grid:
        rows = [row(tokens, **setting) for _ in range(40)]
        for one in rows:
            one.chance.random = lambda uniform=uniform: uniform
        drawn, _ = draw(scores, rows, Given())
        kept |= set(enumerate(drawn))
        drawn_at[uniform] = drawn

    for index in range(40):
        wanted = probabilities(scores[index], tokens, **setting)
        allowed = wanted.nonzero()[:, 0].tolist()
        assert {token for at, token in kept if at == index} <= set(allowed)
        # the likeliest of those that may be drawn, and where those are not all, the least likely
        assert drawn_at[grid[0]][index] == wanted.argmax()
        if len(allowed) < VOCAB:
            assert drawn_at[grid[-1]][index] == min(allowed, key=lambda token: wanted[token])


@pytest.mark.parametrize("has_best", [True, False], ids=["screened", "all scores"])
def test_each_row_of_a_mixed_batch_is_drawn_as_if_alone(has_best):
    scores = some_scores(12, VOCAB, seed=2)
    kinds = [{"greedy": True}, {"greedy": True, "penalty": 1.5}, *SETTINGS]

    def rows():
        return [row((0, 4), **({} if "greedy" in kind else {"seed": 7}) | kind) for kind in kinds]

    together, _ = draw(scores, rows(), Given(has_best=has_best))
    alone = [draw(scores[i : i + 1], rows()[i : i + 1], Given(has_best=has_best))[0][0] for i in range(12)]

    assert together == alone
    assert together[0] == scores[0].argmax()


def test_a_penalised_greedy_row_takes_the_likeliest_after_the_penalty():
    scores = torch.tensor([[5.0, 4.0, -1.0, 3.0]])

    assert draw(scores, [row((1,), penalty=2.0, greedy=True)], Given())[0] == [0]
    assert draw(scores, [row((0,), penalty=2.0, greedy=True)], Given())[0] == [1]
    assert draw(scores, [row((0, 1, 3), penalty=9.0, greedy=True)], Given())[0] == [0]


def test_the_same_seed_repeats_a_row_and_another_seed_does_not():
    scores = torch.zeros(1, VOCAB)

    def tokens(seed):
        one = row(seed=seed)
        return [draw(scores, [one], Given())[0][0] for _ in range(20)]

    assert tokens(3) == tokens(3)
    assert tokens(3) != tokens(4)
    assert tokens(None) != tokens(None)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
@pytest.mark.parametrize("has_best", [True, False])
def test_a_row_that_is_not_finite_is_told_apart_and_spares_the_others(bad, has_best):
    scores = some_scores(4, VOCAB)
    scores[1, 8] = scores[2, 9] = bad
    rows = [row(greedy=True), row(greedy=True), row(seed=1, top_p=0.9, top_k=5), row(seed=1, top_p=0.9)]
    wanted, _ = draw(
        some_scores(4, VOCAB), [row(greedy=True), row(greedy=True), rows[0], row(seed=1, top_p=0.9)], Given()
    )

    tokens, finite = draw(scores, rows, Given(has_best=has_best))

    assert finite == [True, False, False, True]
    assert (tokens[0], tokens[3]) == (wanted[0], wanted[3])


def test_a_uniform_number_of_almost_one_still_gives_a_token_that_may_be_drawn():
    scores = torch.full((1, VOCAB), -100.0)
    scores[0, 3] = scores[0, 40] = 5.0
    one = row(top_k=2)
    one.chance.random = lambda: 1 - 2**-53

    assert draw(scores, [one], Given())[0] == [40]
    one.chance.random = lambda: 1.0
    assert draw(scores, [one], Given())[0] == [40]


def test_ties_with_the_kth_token_may_all_be_drawn(look):
    scores = torch.zeros(1, VOCAB)
    rows = [row(top_k=2, seed=seed) for seed in range(2000)]

    drawn, _ = draw(scores.expand(2000, -1), rows, Given())

    assert set(drawn) == set(range(VOCAB))


def test_a_row_that_needs_a_second_look_changes_nothing_for_the_others():
    scores = some_scores(40, 5000, seed=3)
    scores[::2] *= 4  # where the likeliest decide
    settings = SETTINGS * 4

    together, _ = draw(scores, [row((0, 4), seed=5, **setting) for setting in settings], Given())
    alone = [
        draw(scores[index : index + 1], [row((0, 4), seed=5, **setting)], Given())[0][0]
        for index, setting in enumerate(settings)
    ]

    assert together == alone
