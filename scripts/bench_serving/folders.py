"""Model folders in Flan-T5's exact shapes with random weights, and what a decoder step of them has to read.

Speed does not depend on the values. The end token can never win, so that every answer has the length that was asked
for, with every engine; and each word of a prompt or an answer is one token.
"""

from __future__ import annotations

from pathlib import Path

SHAPES = {
    "small": {"d_model": 512, "d_kv": 64, "d_ff": 1024, "num_heads": 6, "num_layers": 8},
    "base": {"d_model": 768, "d_kv": 64, "d_ff": 2048, "num_heads": 12, "num_layers": 12},
}
VOCAB = 32128
NUM_SPECIAL = 3


def make_folder(home: Path, shape: str) -> Path:
    """Makes the folder unless it is there."""
    folder = home / f"flan-t5-{shape}"
    if not (folder / "tokenizer.json").is_file():
        _save_model(folder, shape)
        _save_tokenizer(folder)
    return folder


def prompt(num_tokens: int, seed: int) -> str:
    """Words that encode as that many tokens, end token included."""
    return " ".join(
        f"t{NUM_SPECIAL + (seed * 7919 + number * 104729) % (VOCAB - NUM_SPECIAL)}" for number in range(num_tokens - 1)
    )


def step_bytes(shape: str, *, weight_bytes: int) -> int:
    """What one decoder step reads at least, for one sequence: the decoder's weights and the output layer, once."""
    sizes = SHAPES[shape]
    d_attention = sizes["num_heads"] * sizes["d_kv"]
    attention = 4 * sizes["d_model"] * d_attention + 2 * sizes["d_model"] * d_attention  # self; cross without k and v
    layer = attention + 3 * sizes["d_model"] * sizes["d_ff"]
    return weight_bytes * (sizes["num_layers"] * layer + VOCAB * sizes["d_model"])


def _save_model(folder: Path, shape: str) -> None:
    import torch
    from transformers import T5Config, T5ForConditionalGeneration

    torch.manual_seed(0)
    config = T5Config(
        vocab_size=VOCAB,
        feed_forward_proj="gated-gelu",
        tie_word_embeddings=False,
        decoder_start_token_id=0,
        **SHAPES[shape],
    )
    model = T5ForConditionalGeneration(config)
    output = torch.randn(VOCAB, config.d_model) * 0.05
    output[:NUM_SPECIAL] = 0  # some other score is above zero: these never win
    model.lm_head.weight = torch.nn.Parameter(output)
    model.save_pretrained(folder)


def _save_tokenizer(folder: Path) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    words = {"<pad>": 0, "</s>": 1, "<unk>": 2} | {f"t{number}": number for number in range(NUM_SPECIAL, VOCAB)}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="<unk>"))  # noqa: S106
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",  # noqa: S106
        eos_token="</s>",  # noqa: S106
        unk_token="<unk>",  # noqa: S106
    ).save_pretrained(folder)
