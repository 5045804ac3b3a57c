"""Short English dialogues with a summary each, made from a seed, as many as wanted.

Seven kinds of talk (errand, meeting, change of plan, thing left behind, meal, arrival, present), with greetings,
small talk, offers that are refused, and changes of mind, so that a summary must be read out of the
dialogue: who does it in the end, what, where, when. The split of a dialogue follows from its two
speakers, so no pair of people is in two splits. Knows nothing of tokens or models.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from training import words

Split = Literal["train", "validation", "test"]
PREFIX = "summarize: "
PAIRS_OF_HUNDRED = {"validation": 5, "test": 15}


@dataclass(frozen=True)
class Example:
    """facts: the strings that a right summary must hold."""

    dialogue: str
    summary: str
    facts: tuple[str, ...]
    kind: str

    @property
    def prompt(self) -> str:
        return PREFIX + self.dialogue


@dataclass
class Talk:
    """A dialogue while it is made: two speakers, their turns, and the dice."""

    random: random.Random
    a: str
    b: str
    c: str
    turns: list[tuple[str, str]]

    def say(self, speaker: str, *options: str) -> None:
        self.turns.append((speaker, self.random.choice(options)))

    def pick(self, *options: str) -> str:
        return self.random.choice(options)

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    def time(self) -> str:
        """`at five`, `tomorrow at 7:30`, `on Friday at noon`."""
        hour = self.random.choice(self.random.choice((words.HOURS, words.HALVES, words.CLOCKS)))
        roll = self.random.random()
        if roll < 0.45:
            return f"at {hour}"
        return f"tomorrow at {hour}" if roll < 0.65 else f"on {self.random.choice(words.DAYS)} at {hour}"

    def other(self, options: tuple[str, ...], *taken: str) -> str:
        return self.random.choice([one for one in options if one not in taken])

    def changed_time(self, time: str, speaker: str, answerer: str) -> str:
        """Sometimes somebody moves the time; returns the one that holds."""
        if not self.chance(0.35):
            return time
        later = self.time()
        self.say(speaker, f"Actually, can we make it {later}?", f"Wait, make it {later}.", f"Sorry, {later} is better.")
        self.say(answerer, f"OK, {later} then.", f"Fine, {later}.", "That works too.")
        return later


Kind = Callable[[Talk], tuple[str, tuple[str, ...]]]


def errand(talk: Talk) -> tuple[str, tuple[str, ...]]:
    thing, place = talk.pick(*words.THINGS), talk.pick(*words.PLACES)
    verb = talk.pick("pick up", "get", "fetch", "collect")
    time, doer = talk.time(), talk.b
    talk.say(
        talk.a,
        f"Can you {verb} {thing} from {place} {time}?",
        f"Could you {verb} {thing} from {place}? {time.capitalize()} if you can.",
        f"Somebody has to {verb} {thing} from {place} {time}. Can you?",
        f"I need {thing} from {place}. Could you {verb} it {time}?",
    )
    roll = talk.random.random()
    if roll < 0.25:
        doer = talk.c
        talk.say(talk.b, f"I can't, but {doer} can do it.", f"Sorry, no. {doer} is near there and will go.")
        talk.say(talk.a, f"OK, please ask {doer}.", f"{doer} is fine too.")
    elif roll < 0.4:
        doer = talk.a
        talk.say(talk.b, "Sorry, I have no time today.", "I am afraid I can't.")
        talk.say(talk.a, "Never mind, I will go myself.", "OK, then I do it myself.")
    else:
        talk.say(talk.b, f"{talk.pick(*words.YES)}.", f"{talk.pick(*words.YES)}, I will.", "I am going there anyway.")
        if talk.chance(0.25):
            other = talk.other(words.PLACES, place)
            talk.say(talk.a, f"Sorry, it is at {other}, not {place}.", f"Oh no, wrong: {thing} is at {other}.")
            talk.say(talk.b, f"OK, {other}.", "Good that you say it.")
            place = other
        time = talk.changed_time(time, talk.b, talk.a)
    return f"{doer} will pick up {thing} from {place} {time}.", (doer, thing, place, time)


def meeting(talk: Talk) -> tuple[str, tuple[str, ...]]:
    place, time = talk.pick(*words.PLACES), talk.time()
    talk.say(
        talk.a,
        f"Shall we meet at {place} {time}?",
        f"Do you want to meet {time}? At {place}?",
        f"Let's meet at {place} {time}.",
    )
    roll = talk.random.random()
    if roll < 0.3:
        other = talk.other(words.PLACES, place)
        talk.say(talk.b, f"I'd rather meet at {other}.", f"{place.capitalize()} is closed. {other.capitalize()}?")
        talk.say(talk.a, f"OK, {other} then.", "Good idea.", "Fine with me.")
        place = other
    else:
        talk.say(talk.b, f"{talk.pick(*words.YES)}!", "Sounds good.", "I would love to.")
    time = talk.changed_time(time, talk.b, talk.a)
    return f"{talk.a} and {talk.b} will meet at {place} {time}.", (talk.a, talk.b, place, time)


def change_of_plan(talk: Talk) -> tuple[str, tuple[str, ...]]:
    activity, (said, told) = talk.pick(*words.ACTIVITIES), talk.random.choice(words.REASONS)
    who, other = (talk.a, talk.b) if talk.chance(0.6) else (talk.b, talk.a)
    if who == talk.b:
        talk.say(talk.a, f"Are you coming to {activity}?", f"All ready for {activity}?", f"{activity.capitalize()}?")
    talk.say(who, f"I can't come to {activity}, {said}.", f"Sorry, {said}, so I can't make {activity}.")
    talk.say(other, "Oh, what a pity.", "That's a shame.", "Oh no!")
    if talk.chance(0.5):
        time = talk.time()
        talk.say(other, f"Shall we move it? {time.capitalize()}?", f"What about {time}?")
        talk.say(who, "That would be great.", "Yes, that works.", f"{time.capitalize()} is good.")
        summary = f"{who} can't come to {activity} because {who} {told}. They will do it {time}."
        return summary, (who, activity, told, time)
    return f"{who} can't come to {activity} because {who} {told}.", (who, activity, told)


def left_behind(talk: Talk) -> tuple[str, tuple[str, ...]]:
    thing, place, time = talk.pick(*words.BELONGINGS), talk.pick(*words.PLACES), talk.time()
    talk.say(talk.a, f"I left my {thing} at {place}!", f"Have you seen my {thing}? I think it is at {place}.")
    finder = talk.b
    if talk.chance(0.3):
        finder = talk.c
        talk.say(talk.b, f"{finder} has it and can bring it {time}.", f"Yes, {finder} found it, and comes by {time}.")
    else:
        talk.say(talk.b, f"I found it. I will bring it {time}.", f"I have it, I can bring it {time}.")
        time = talk.changed_time(time, talk.a, talk.b)
    summary = f"{talk.a} left a {thing} at {place}. {finder} will bring it {time}."
    return summary, (talk.a, thing, place, finder, time)


def meal(talk: Talk) -> tuple[str, tuple[str, ...]]:
    dish, drink = talk.pick(*words.DISHES), talk.pick(*words.DRINKS)
    time = talk.time()
    talk.say(talk.a, f"Come over {time}, I am making {dish}.", f"I am cooking {dish} {time}. Will you come?")
    if talk.chance(0.25):
        other = talk.other(words.DISHES, dish)
        talk.say(talk.b, f"I don't eat {dish}, sorry.", f"{dish.capitalize()} again?")
        talk.say(talk.a, f"Then I will make {other}.", f"OK, {other} then.")
        dish = other
    talk.say(talk.b, f"Great, I will bring {drink}.", f"Lovely! Shall I bring {drink}?", f"Yes! I'll bring {drink}.")
    if talk.chance(0.25):
        other = talk.other(words.DRINKS, drink)
        talk.say(talk.a, f"We have {drink}. Bring {other}.", f"Rather {other}, please.")
        talk.say(talk.b, "OK!", f"{other.capitalize()} it is.")
        drink = other
    summary = f"{talk.a} will make {dish} {time}, and {talk.b} will bring {drink}."
    return summary, (talk.a, dish, time, talk.b, drink)


def arrival(talk: Talk) -> tuple[str, tuple[str, ...]]:
    place, time = talk.pick("the station", "the airport", "the bus stop", "the harbour", "the hotel"), talk.time()
    talk.say(talk.a, f"I arrive at {place} {time}.", f"My trip is booked, I will be at {place} {time}.")
    driver = talk.b
    if talk.chance(0.3):
        driver = talk.c
        talk.say(talk.b, f"I have to work, but {driver} will pick you up.", f"{driver} can pick you up.")
    else:
        talk.say(talk.b, "I will pick you up.", "Great, I'll come and get you.", "I can pick you up there.")
    time = talk.changed_time(time, talk.a, talk.b)
    summary = f"{talk.a} arrives at {place} {time}. {driver} will pick {talk.a} up."
    return summary, (talk.a, place, time, driver)


def present(talk: Talk) -> tuple[str, tuple[str, ...]]:
    gift = talk.pick(*words.GIFTS)
    talk.say(talk.a, f"What do we give {talk.c} for the birthday?", f"{talk.c} has a birthday soon. Any ideas?")
    talk.say(talk.b, f"How about {gift}?", f"I thought of {gift}.", f"Maybe {gift}?")
    if talk.chance(0.35):
        other = talk.other(words.GIFTS, gift)
        talk.say(talk.a, f"{talk.c} has that already. {other.capitalize()}?", f"Hm, I'd rather buy {other}.")
        talk.say(talk.b, "Even better.", f"Yes, {other}!", "Good idea.")
        gift = other
    else:
        talk.say(talk.a, "Good idea!", "Perfect, that's it.", f"{talk.c} will love it.")
    if talk.chance(0.5):
        buyer = talk.pick(talk.a, talk.b)
        talk.say(buyer, "I will buy it.", "I can get it.")
        return f"{buyer} will buy {gift} for {talk.c}'s birthday.", (buyer, gift, talk.c)
    return f"{talk.a} and {talk.b} will give {talk.c} {gift}.", (talk.a, talk.b, gift, talk.c)


KINDS: dict[str, Kind] = {
    "errand": errand,
    "meeting": meeting,
    "change_of_plan": change_of_plan,
    "left_behind": left_behind,
    "meal": meal,
    "arrival": arrival,
    "present": present,
}


def split_of(a: str, b: str) -> Split:
    """Which split a pair of speakers belongs to: about 80, 5 and 15 of a hundred pairs."""
    pair = "+".join(sorted((a, b)))
    roll = hashlib.sha256(pair.encode()).digest()[0] * 100 // 256
    if roll < PAIRS_OF_HUNDRED["validation"]:
        return "validation"
    return "test" if roll < PAIRS_OF_HUNDRED["validation"] + PAIRS_OF_HUNDRED["test"] else "train"


def example(dice: random.Random, a: str, b: str) -> Example:
    """One dialogue between two people. Deterministic in the dice."""
    c = dice.choice([name for name in words.NAMES if name not in (a, b)])
    talk = Talk(dice, a, b, c, [])
    kind = dice.choice(list(KINDS))
    opening = f"{dice.choice(words.GREETINGS)} {b}" if talk.chance(0.6) else dice.choice(words.GREETINGS)
    if talk.chance(0.3):
        question, answer = dice.choice(words.SMALL_TALK)
        talk.turns += [(a, f"{opening}! {question}"), (b, answer)]
        opening = ""
    summary, facts = KINDS[kind](talk)
    if opening and talk.chance(0.7):
        first = talk.turns[0]
        talk.turns[0] = (first[0], f"{opening}! {first[1]}")
    if talk.chance(0.6):
        talk.say(a, *words.THANKS)
        if talk.chance(0.6):
            talk.say(b, *words.CLOSINGS)
    dialogue = "\n".join(f"{speaker}: {text}" for speaker, text in talk.turns)
    return Example(dialogue, summary, facts, kind)


def examples(split: Split, seed: int) -> Iterator[Example]:
    """Endless examples of one split, no dialogue twice."""
    dice = random.Random(f"{split}/{seed}")  # noqa: S311  a corpus, not a secret
    seen: set[str] = set()
    while True:
        a, b = dice.sample(words.NAMES, 2)
        if split_of(a, b) != split:
            continue
        made = example(dice, a, b)
        if made.dialogue not in seen:
            seen.add(made.dialogue)
            yield made


def take(split: Split, count: int, seed: int) -> list[Example]:
    source = examples(split, seed)
    return [next(source) for _ in range(count)]
