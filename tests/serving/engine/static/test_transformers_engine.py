"""Models that are no T5, on transformers' own generation."""

import math

import pytest
import torch

from serving.checkpoint.errors import CheckpointError
from serving.engine.static.transformers_engine import TransformersEngine
from serving.request import GenerateBody
from serving.sequence import Delta, Sequence
from serving.validation import Limits, validate
from tests.serving.checkpoint.test_folder import open_folder
from tests.serving.conftest import make_causal_folder

LIMITS = Limits(max_input_tokens=64, max_new_tokens=64, default_new_tokens=12)
PROMPTS = ["Anna asks Ben to bring bread.", "Tom: when?", "6"]


@pytest.fixture(scope="module")
def gpt2(tmp_path_factory):
    return make_causal_folder(tmp_path_factory.mktemp("models") / "gpt2", num_positions=128)


def run(checkpoint, prompts, *, is_streaming=False, **parameters):
    engine = TransformersEngine(checkpoint.model)
    events = [[] for _ in prompts]
    sequences = [
        Sequence(
            number,
            validate(GenerateBody(prompt=prompt, **parameters), limits=LIMITS, tokenizer=checkpoint.tokenizer),
            tokenizer=checkpoint.tokenizer,
            deadline=math.inf,
            listener=events[number].append,
            is_streaming=is_streaming,
        )
        for number, prompt in enumerate(prompts)
    ]
    engine.step(sequences)
    return sequences, events


def test_a_decoder_only_model_answers_a_batch_as_transformers_answers_each_alone(gpt2):
    checkpoint = open_folder(gpt2)

    sequences, _ = run(checkpoint, PROMPTS)

    for one in sequences:
        ids = torch.tensor([one.request.prompt_ids])
        alone = checkpoint.model.generate(
            ids, attention_mask=torch.ones_like(ids), max_new_tokens=12, do_sample=False, pad_token_id=0
        )
        assert one.output_ids == alone[0, ids.shape[1] :].tolist()


def test_what_pads_a_prompt_is_not_penalized_as_a_part_of_it(gpt2):
    checkpoint = open_folder(gpt2)
    ((plain,), _) = run(checkpoint, PROMPTS[2:])
    checkpoint.model.generation_config.pad_token_id = plain.output_ids[0]

    (_, short), _ = run(checkpoint, [PROMPTS[0], PROMPTS[2]], repetition_penalty=9.0)

    assert short.output_ids[0] == plain.output_ids[0]


def test_a_decoder_only_model_streams_its_tokens(gpt2):
    sequences, events = run(open_folder(gpt2), PROMPTS[:1], is_streaming=True)

    deltas = [event.text for event in events[0] if isinstance(event, Delta)]
    assert len(deltas) > 1
    assert "".join(deltas) == sequences[0].outcome.text


def test_limits_beyond_a_models_positions_are_refused_with_both_numbers(gpt2):
    from serving.engine.memory import Room

    with pytest.raises(
        CheckpointError, match=r"has 128 positions.*MAX_INPUT_TOKENS 100 and MAX_NEW_TOKENS 64 need 164"
    ):
        open_folder(gpt2, room=Room(max_batch_size=1, max_source=100, max_target=64))


def test_int8_is_refused_for_a_model_that_is_no_t5(gpt2):
    with pytest.raises(CheckpointError, match="QUANTIZE=int8 is for T5 and mT5; this is 'gpt2'"):
        open_folder(gpt2, quantize="int8")
