"""Runs our T5 over given prompts and answers, so that its scores can be compared."""

import torch

from serving.engine.continuous.caches import Caches, View
from serving.engine.continuous.encoding import EncoderRun, Pace
from serving.t5 import rounded


def forced_log_probs(model, prompts, answers):
    """Log-probabilities [T, V] of each answer's next tokens; answers begin with the start token, equal in length."""
    config = model.config
    with torch.inference_mode():
        run = EncoderRun([], [len(p) for p in prompts], model.embed(torch.tensor([i for p in prompts for i in p])))
        assert run.advance(model, Pace(), seconds=None)
        caches = Caches(
            num_slots=len(prompts),
            num_layers=config.num_decoder_layers,
            heads=(config.num_heads, config.d_kv),
            max_source=rounded(max(map(len, prompts)), config.d_kv),
            max_target=rounded(len(answers[0]), config.d_kv),
            dtype=model.dtype,
            device=model.device,
        )
        for slot, (begin, end) in enumerate(run.spans()):
            caches.open(slot, end - begin)
            for layer, keys_values in enumerate(run.keys_values):
                caches.fill(layer, slot, keys_values[:, begin:end])
        bias = model.decoder_bias(caches.max_target)
        steps = []
        for position, tokens in enumerate(torch.tensor(answers).T):
            positions = torch.full_like(tokens, position)
            view = View(caches, bias, positions, num_keys=caches.max_target, num_source=caches.max_source)
            steps.append(model.scores(model.decode(tokens, view)).log_softmax(-1))
    return torch.stack(steps, dim=1)
