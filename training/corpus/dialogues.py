"""Short English dialogues with a summary each, made from a seed, as many as wanted.

A dialogue is a scene (who does what, where and when, with refusals and changes of mind), with greetings, small
talk, asides about other people, places and times, and thanks around it; so a summary must be read out of the
dialogue. The split of a dialogue follows from its two speakers, so no pair of people is in two splits;
some names are met in the test split alone. Knows nothing of tokens or models.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from training.corpus import words
from training.corpus.scenes import SCENES
from training.corpus.talk import Talk, any_name

Split = Literal["train", "validation", "test"]
PREFIX = "summarize: "
PAIRS_OF_HUNDRED = {"validation": 5, "test": 15}


@dataclass(frozen=True)
class Example:
    """facts: the strings that a right summary must hold. kind: the scene."""

    dialogue: str
    summary: str
    facts: tuple[str, ...]
    kind: str

    @property
    def prompt(self) -> str:
        return PREFIX + self.dialogue

    @property
    def has_unseen_name(self) -> bool:
        """Whether the summary needs a name that training never met."""
        return any(fact.split("'")[0] in UNSEEN_NAMES for fact in self.facts)


def _hundred(text: str) -> int:
    """A number in [0, 100) that depends on the text alone."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4]) % 100


UNSEEN_NAMES = frozenset(name for name in words.NAMES if _hundred(name) < 10)
SEEN_NAMES = tuple(name for name in words.NAMES if name not in UNSEEN_NAMES)


def split_of(a: str, b: str) -> Split:
    """Which split a pair of speakers belongs to: about 80, 5 and 15 of a hundred pairs; unseen names are test."""
    if a in UNSEEN_NAMES or b in UNSEEN_NAMES:
        return "test"
    roll = _hundred("+".join(sorted((a, b))))
    if roll < PAIRS_OF_HUNDRED["validation"]:
        return "validation"
    return "test" if roll < sum(PAIRS_OF_HUNDRED.values()) else "train"


def example(dice: random.Random, a: str, b: str, names: tuple[str, ...]) -> Example:
    """One dialogue between two people. Deterministic in the dice. names: who else may come up."""
    talk = Talk(dice, a, b, "", names, [])
    talk.c = talk.name()
    kind = dice.choice(list(SCENES))
    before = _before(talk)
    summary, facts = SCENES[kind](talk)
    if len(before) < 2 and talk.chance(0.6):  # a bare greeting goes into the first turn
        first, said = talk.turns[0]
        other = b if first == a else a
        greeting = dice.choice(words.GREETINGS) + talk.pick(f" {other}", f", {other}", "")
        talk.turns[0] = (first, f"{greeting}{talk.pick('! ', ', ', '. ')}{said}")
    turns = [*before, *talk.turns, *_after(talk)]
    return Example(_written(talk, turns, facts), summary, facts, kind)


def _before(talk: Talk) -> list[tuple[str, str]]:
    """Small talk and asides, or nothing."""
    turns: list[tuple[str, str]] = []
    if talk.chance(0.25):
        question, answer = talk.dice.choice(words.SMALL_TALK)
        opening = talk.dice.choice(words.GREETINGS) + talk.pick(f" {talk.b}", "")
        turns += [(talk.a, f"{opening}! {question}"), (talk.b, answer)]
    return turns + _aside(talk) if talk.chance(0.15) else turns


def _after(talk: Talk) -> list[tuple[str, str]]:
    """Thanks, a farewell, an aside, or nothing."""
    turns: list[tuple[str, str]] = []
    if talk.chance(0.5):
        turns.append((talk.a, talk.pick(*words.THANKS)))
        if talk.chance(0.6):
            turns.append((talk.b, talk.pick(*words.CLOSINGS)))
    return turns + _aside(talk) if talk.chance(0.1) else turns


def _aside(talk: Talk) -> list[tuple[str, str]]:
    said, answered = talk.dice.choice([pair for row in words.ASIDES for pair in row])
    values = {
        "name": talk.name(),
        "place": talk.place(),
        "hour": talk.clock().removeprefix("at "),
        "past": talk.dice.choice(words.PAST),
        "town": talk.dice.choice(words.TOWNS),
        "month": talk.dice.choice(words.MONTHS),
    }
    first, second = talk.dice.sample((talk.a, talk.b), 2)
    return [(first, said.format(**values)), (second, answered.format(**values))]


def _written(talk: Talk, turns: list[tuple[str, str]], facts: tuple[str, ...]) -> str:
    """The turns as people type them: a line each, or all in one; some without capitals and full stops."""
    lines: list[tuple[str, str]] = []
    for speaker, text in turns:
        if lines and lines[-1][0] == speaker and talk.chance(0.7):
            lines[-1] = (speaker, f"{lines[-1][1]} {text}")
        else:
            lines.append((speaker, text))
    if talk.chance(0.15):
        lines = [(speaker, _careless(text, facts)) for speaker, text in lines]
    return talk.pick(*("\n",) * 9, " ").join(f"{speaker}: {text}" for speaker, text in lines)


def _careless(text: str, facts: tuple[str, ...]) -> str:
    """Small first letter, no full stop; a name or another fact keeps its capital."""
    first = text.split()[0].rstrip(",.!?")
    if not first.isupper() and not any(fact.startswith(first) for fact in facts):
        text = text[0].lower() + text[1:]
    return text.removesuffix(".")


def examples(split: Split, seed: int) -> Iterator[Example]:
    """Endless examples of one split, no dialogue twice."""
    dice = random.Random(f"{split}/{seed}")  # noqa: S311  a corpus, not a secret
    names = words.NAMES if split == "test" else SEEN_NAMES
    seen: set[bytes] = set()
    while True:
        a, b = any_name(dice, names), any_name(dice, names)
        if a == b or split_of(a, b) != split:
            continue
        made = example(dice, a, b, names)
        mark = hashlib.md5(made.dialogue.encode(), usedforsecurity=False).digest()
        if mark not in seen:
            seen.add(mark)
            yield made


def take(split: Split, count: int, seed: int) -> list[Example]:
    source = examples(split, seed)
    return [next(source) for _ in range(count)]
