"""The model card of a tuned model: what its README says. Takes what was measured; measures nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from training.config.task import TaskConfig
from training.scoring.rouge import METRICS
from training.tuning.encoding import Lengths
from training.tuning.evaluation import Evaluation


@dataclass(frozen=True)
class TuningCard:
    """origin: of the records. num_records: of train, validation, test."""

    config: TaskConfig
    origin: str
    num_records: tuple[int, int, int]
    lengths: Lengths
    num_parameters: int
    num_trained: int
    evaluation: Evaluation
    git_sha: str
    seconds: float
    num_attempts: int
    machine: str

    def text(self) -> str:
        config = self.config
        train, validation, test = self.num_records
        return f"""---
library_name: transformers
base_model: {config.model.base}
pipeline_tag: text2text-generation
---

# {config.task}

`{config.model.base}` (revision {config.model.revision}) tuned on {self.origin}:
{train} records to learn from, {validation} to choose the best model by, {test} for the figures below.

Prompt: `{config.prompt.template!r}`, a Python string, in which `{{input}}` stands for the text. It is the key
`prompt_template` of config.json; flanstack's server puts it around each prompt that does not have it yet.

## How good it is

{self._decoding()}, in percent, ROUGE F-measures with the Porter stemmer; gen_len in tokens.

| split | {" | ".join(METRICS)} | gen_len |
|---|---|---|---|---|---|
{self._figures()}

## How it was made

{self.num_parameters:,} parameters, {self._trained()}. {self._spent()} on {self.machine}, code {self.git_sha}.
Prompts were cut at {self.lengths.source} tokens ({self.lengths.num_cut_sources} of all records were), answers at
{self.lengths.target} ({self.lengths.num_cut_targets}).

| setting | value |
|---|---|
{_settings(config.model_dump(mode="json"))}

## The first records of the test split, unedited

{self._samples()}"""

    def _decoding(self) -> str:
        beams = self.config.generation.beams
        if beams == 1:
            return "Greedy decoding, as the server answers"
        return f"{beams} beams, as the server answers a request with `num_beams: {beams}`; greedily else"

    def _spent(self) -> str:
        whole = f"{self.seconds:.0f} s"
        return whole if self.num_attempts == 1 else f"{whole} in {self.num_attempts} attempts"

    def _figures(self) -> str:
        return "\n".join(
            f"| {name} | {' | '.join(f'{figures[metric]:.2f}' for metric in METRICS)} | {figures['gen_len']:.1f} |"
            for name, figures in self.evaluation.figures.items()
        )

    def _trained(self) -> str:
        if not self.config.lora.enabled:
            return "all of them trained"
        return f"adapters of {self.num_trained:,} trained (LoRA, rank {self.config.lora.rank}) and merged"

    def _samples(self) -> str:
        return "\n".join(
            f"```\n{prompt}\n```\n\n- reference: {reference}\n- model: {answer}\n"
            for prompt, reference, answer in self.evaluation.samples
        )


def _settings(values: dict[str, Any], above: str = "") -> str:
    rows = []
    for name, value in values.items():
        if isinstance(value, dict):
            rows.append(_settings(value, f"{above}{name}."))
        else:
            rows.append(f"| {above}{name} | {value!r} |")
    return "\n".join(rows)
