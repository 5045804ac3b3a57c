import itertools
from dataclasses import replace

import pytest
import torch

from training.corpus.dialogues import take
from training.embedded.train import IGNORED, Training, batches, collate, learning_rate, validation_loss


def test_a_tiny_model_learns_within_seconds(tiny, tokenizer, tmp_path):
    held = take("validation", 32, 1)
    training = Training(replace(tiny, steps=80), tokenizer, tmp_path, tell=lambda line: None)
    before = validation_loss(training.model, tokenizer, held)

    model = training.run()

    assert validation_loss(model, tokenizer, held) < 0.8 * before


def test_a_run_that_was_stopped_ends_as_one_that_was_not(tiny, tokenizer, tmp_path):
    whole = Training(tiny, tokenizer, tmp_path / "whole", tell=lambda line: None).run()

    def stop_at_ten(line):
        if "step    10" in line:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Training(tiny, tokenizer, tmp_path / "stopped", tell=stop_at_ten).run()
    second = Training(tiny, tokenizer, tmp_path / "stopped", tell=lambda line: None)
    assert second.resume()
    assert second.step == 10
    finished = second.run()

    for name, value in whole.state_dict().items():
        assert torch.equal(value, finished.state_dict()[name]), name


def test_the_checkpoint_of_another_recipe_is_not_taken_up(tiny, tokenizer, tmp_path):
    Training(tiny, tokenizer, tmp_path, tell=lambda line: None).save()

    assert not Training(replace(tiny, seed=8), tokenizer, tmp_path, tell=lambda line: None).resume()
    assert not Training(tiny, tokenizer, tmp_path / "empty", tell=lambda line: None).resume()


def test_the_best_weights_are_kept_and_not_the_last(tiny, tokenizer, tmp_path):
    """A rate this high ruins the model after it has learned something."""
    losses = []
    training = Training(
        replace(tiny, learning_rate=0.5, warmup_steps=15, validate_every=5), tokenizer, tmp_path, tell=losses.append
    )

    model = training.run()

    seen = [float(line.rsplit(" ", 1)[1]) for line in losses if "validation" in line]
    held = take("validation", tiny.validation_examples, tiny.seed)
    assert validation_loss(model, tokenizer, held) == pytest.approx(min(seen), abs=1e-3)


def test_the_rate_rises_over_the_warm_up_and_falls_to_nothing(tiny):
    rates = [learning_rate(step, tiny) for step in range(tiny.steps + 1)]

    assert max(rates) == pytest.approx(tiny.learning_rate)
    assert rates[: tiny.warmup_steps] == sorted(rates[: tiny.warmup_steps])
    assert rates[tiny.warmup_steps :] == sorted(rates[tiny.warmup_steps :], reverse=True)
    assert rates[-1] == 0


def test_padding_of_labels_carries_no_loss(tokenizer):
    held = take("train", 6, 1)
    batch = collate(held, tokenizer)

    assert batch["labels"].shape[0] == 6
    assert 0 not in batch["labels"]
    assert (batch["labels"] == IGNORED).any()
    assert (batch["labels"] == tokenizer.eos_token_id).sum() == 6


def test_a_batch_holds_dialogues_of_like_length_and_none_comes_twice(tiny):
    drawn = list(itertools.islice(batches(tiny), 24))
    dialogues = [one.dialogue for batch in drawn for one in batch]
    spread = [max(len(one.dialogue) for one in batch) - min(len(one.dialogue) for one in batch) for batch in drawn]

    assert len(set(dialogues)) == len(dialogues) == 24 * tiny.batch
    assert sorted(spread)[len(spread) // 2] < 60


def test_batches_passed_over_are_the_first_ones(tiny):
    every, later = list(itertools.islice(batches(tiny), 12)), list(itertools.islice(batches(tiny, skip=9), 3))

    assert every[9:] == later
