"""What each generation parameter does, against transformers itself over the same folder."""

import math

import pytest
import torch

from serving.engine.static.transformers_engine import TransformersEngine
from serving.errors import EngineFailed
from serving.request import GenerateBody
from serving.sequence import Sequence
from serving.validation import Limits, validate

LIMITS = Limits(max_input_tokens=64, max_new_tokens=64, default_new_tokens=12)
PROMPTS = ["Anna asks Ben to bring bread.", "Tom: when?", "Summarize the following text: Mia", "6"]


@pytest.fixture(scope="module")
def tokenizer(tiny):
    from transformers import AutoTokenizer

    from serving.checkpoint.tokenizer import FolderTokenizer

    return FolderTokenizer(AutoTokenizer.from_pretrained(tiny).backend_tokenizer)


@pytest.fixture(scope="module")
def engine(reference):
    return TransformersEngine(reference[1])


@pytest.fixture
def run(engine, tokenizer):
    """Runs bodies in one batch; returns their completions."""

    def run(*bodies):
        sequences = [
            Sequence(
                number,
                validate(GenerateBody(**body), limits=LIMITS, tokenizer=tokenizer),
                tokenizer=tokenizer,
                deadline=math.inf,
                listener=lambda _: None,
            )
            for number, body in enumerate(bodies)
        ]
        engine.step(sequences)
        return sequences

    return run


def texts(sequences):
    return [sequence.outcome.text for sequence in sequences]


def generate(reference, prompt, **options):
    tokenizer, model = reference
    ids = model.generate(**tokenizer(prompt, return_tensors="pt"), **{"max_new_tokens": 12} | options)[0].tolist()
    return ids[1:]


@pytest.mark.parametrize("prompt", PROMPTS)
def test_greedy_tokens_and_text_equal_transformers(reference, run, prompt):
    (one,) = run({"prompt": prompt})

    expected = generate(reference, prompt, do_sample=False)
    assert one.output_ids == expected
    assert one.outcome.text == reference[0].decode(expected, skip_special_tokens=True)


def test_a_prompt_encodes_as_with_transformers(reference, tokenizer):
    for prompt in [*PROMPTS, "Zürich  </s> naïve", " spaces "]:
        assert tokenizer.encode(prompt) == reference[0](prompt).input_ids


def test_repetition_penalty_equals_transformers(reference, run):
    (one,) = run({"prompt": PROMPTS[0], "repetition_penalty": 1.7})

    assert one.output_ids == generate(reference, PROMPTS[0], do_sample=False, repetition_penalty=1.7)
    assert one.output_ids != generate(reference, PROMPTS[0], do_sample=False)


def test_a_batch_of_mixed_requests_gives_each_what_it_gets_alone(run):
    bodies = [
        {"prompt": PROMPTS[0]},
        {"prompt": PROMPTS[1], "temperature": 0.9, "seed": 5, "max_new_tokens": 20},
        {"prompt": PROMPTS[2], "repetition_penalty": 2.0, "max_new_tokens": 3},
        {"prompt": PROMPTS[3], "top_k": 5, "top_p": 0.8, "seed": 6},
    ]

    together = run(*bodies)

    assert [s.output_ids for s in together] == [run(body)[0].output_ids for body in bodies]
    assert [len(s.output_ids) for s in together] == [12, 20, 3, 12]


def test_the_same_seed_repeats_and_another_does_not(run):
    body = {"prompt": PROMPTS[0], "temperature": 1.5, "max_new_tokens": 24}
    first, again, other = texts(run(body | {"seed": 1}, body | {"seed": 1}, body | {"seed": 2}))

    assert first == again != other


def test_without_a_seed_two_draws_differ(run):
    body = {"prompt": PROMPTS[0], "temperature": 2.0, "max_new_tokens": 24}

    assert len(set(texts(run(*[body] * 16)))) > 1  # the likeliest has 31 %: alone once in 10^8


@pytest.mark.parametrize(
    "parameters",
    [{}, {"temperature": 0.0, "top_k": 5}, {"do_sample": False, "temperature": 2.0}, {"seed": 4}],
    ids=["nothing asked", "temperature 0", "do_sample false", "a seed alone"],
)
def test_greedy_is_the_default_and_can_be_insisted_on(run, parameters):
    assert texts(run({"prompt": PROMPTS[0]} | parameters)) == texts(run({"prompt": PROMPTS[0]}))


@pytest.mark.parametrize("parameters", [{"top_k": 1}, {"top_p": 1e-6}], ids=["top_k", "top_p"])
def test_the_narrowest_cut_leaves_only_the_likeliest_token(run, parameters):
    sampled = {"prompt": PROMPTS[0], "temperature": 3.0} | parameters

    assert texts(run(sampled)) == texts(run({"prompt": PROMPTS[0]}))


@pytest.mark.parametrize("sampling", [{"temperature": 0.7}, {"top_k": 4}, {"temperature": 2.0, "top_p": 0.6}])
def test_draws_follow_the_distribution_of_transformers(reference, run, sampling):
    bodies = [
        {"prompt": PROMPTS[1], "max_new_tokens": 1, "seed": seed, "do_sample": True} | sampling for seed in range(1500)
    ]
    ours = torch.bincount(torch.tensor([s.output_ids[0] for s in run(*bodies)]), minlength=300) / 1500
    tokenizer, model = reference
    torch.manual_seed(0)
    ids = model.generate(
        **tokenizer([PROMPTS[1]] * 1500, return_tensors="pt"),
        max_new_tokens=1,
        do_sample=True,
        **{"top_k": 0} | sampling,
    )[:, 1]
    theirs = torch.bincount(ids, minlength=300) / 1500

    # two samples of 1500: their total variation distance stays well below 0.1 when the source is the same
    assert (ours - theirs).abs().sum() / 2 < 0.1


def test_a_stop_string_ends_the_answer_before_itself(run):
    (whole,) = texts(run({"prompt": PROMPTS[0]}))
    stop = whole[len(whole) // 2 :][:3]

    (one,) = run({"prompt": PROMPTS[0], "stop": ["never there", stop]})

    assert one.outcome.finish_reason == "stop"
    assert one.outcome.text == whole[: whole.index(stop)]


def test_max_new_tokens_counts_generated_tokens_and_says_length(run):
    (one,) = run({"prompt": PROMPTS[0], "max_new_tokens": 5})

    assert (len(one.output_ids), one.outcome.num_tokens, one.outcome.finish_reason) == (5, 5, "length")


def test_an_end_token_ends_the_answer_and_is_no_text(reference, run, engine):
    (whole,) = run({"prompt": PROMPTS[0]})
    third = whole.output_ids[2]
    saved = engine._eos_ids
    engine._eos_ids = frozenset([third])
    try:
        (one,) = run({"prompt": PROMPTS[0]})
    finally:
        engine._eos_ids = saved

    assert one.outcome.finish_reason == "eos"
    assert one.output_ids == whole.output_ids[: whole.output_ids.index(third) + 1]


def test_a_row_that_is_not_finite_fails_alone(run, engine, monkeypatch):
    from serving.engine.static import sampling

    whole = sampling.BatchSampler.__call__

    def poisoned(self, ids, scores):
        scores = scores.clone()
        scores[1, 7] = math.nan
        return whole(self, ids, scores)

    monkeypatch.setattr(sampling.BatchSampler, "__call__", poisoned)
    healthy, sick = run({"prompt": PROMPTS[0]}, {"prompt": PROMPTS[1]})
    monkeypatch.undo()

    assert isinstance(sick.outcome, EngineFailed)
    assert texts([healthy]) == texts(run({"prompt": PROMPTS[0]}))
