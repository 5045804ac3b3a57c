"""A small subword tokenizer for dialogues, in the shape of T5's: `<pad>` 0, `</s>` 1, `<unk>` 2.

Words keep their leading space as a mark, so a name is the same token at the start of a line and inside
one; punctuation stands apart; a line break is a token; any other character falls back to its bytes.
Knows nothing of models.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

SPECIAL = ["<pad>", "</s>", "<unk>"]
BYTES = [f"<0x{byte:02X}>" for byte in range(256)]
LINE_BREAK = "⏎"  # a visible stand-in: pre-tokenizers swallow real line breaks


def train_tokenizer(texts: Iterable[str], *, vocab_size: int) -> PreTrainedTokenizerFast:
    """A tokenizer whose vocabulary was counted on the texts."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Replace("\n", f" {LINE_BREAK} ")])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Metaspace(prepend_scheme="always"), pre_tokenizers.Punctuation()]
    )
    trainer = trainers.BpeTrainer(vocab_size=vocab_size, special_tokens=[*SPECIAL, *BYTES], show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer = _with_byte_fallback(tokenizer)
    tokenizer.decoder = decoders.Sequence(
        [
            decoders.ByteFallback(),
            decoders.Metaspace(prepend_scheme="always"),
            decoders.Fuse(),  # what follows replaces within the whole text, not within a token
            decoders.Replace(f" {LINE_BREAK} ", "\n"),
        ]
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", tokenizer.token_to_id("</s>"))]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>", unk_token="<unk>", model_max_length=512
    )


def _with_byte_fallback(tokenizer: Tokenizer) -> Tokenizer:
    """Bytes must be in the vocabulary before training, and no special tokens after it."""
    document = json.loads(tokenizer.to_str())
    document["added_tokens"] = [token for token in document["added_tokens"] if token["content"] in SPECIAL]
    document["model"]["byte_fallback"] = True
    return Tokenizer.from_str(json.dumps(document))
