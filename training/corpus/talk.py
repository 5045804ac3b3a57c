"""A dialogue while it is made: who speaks, the turns so far, the dice, and how people settle things.

What a person proposes can be moved, refused or made more exact in later turns; each `settle_*` plays that
out and returns what holds in the end. Knows no kind of dialogue and no summary.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

from training.corpus import words

Told = tuple[str, tuple[str, ...]]  # a summary, and the facts it must hold


def capital(text: str) -> str:
    return text[:1].upper() + text[1:]


@dataclass(frozen=True)
class When:
    """day: `tomorrow`, `on Friday`, or empty. clock: `at five`, or empty. Never both empty."""

    day: str = ""
    clock: str = ""

    def __str__(self) -> str:
        return f"{self.day} {self.clock}".strip()

    @property
    def facts(self) -> tuple[str, ...]:
        return tuple(one for one in (self.day, self.clock) if one)


@dataclass
class Talk:
    """a starts and speaks to b; c is somebody they may speak of. names: whoever may come up."""

    dice: random.Random
    a: str
    b: str
    c: str
    names: tuple[str, ...]
    turns: list[tuple[str, str]]

    def say(self, speaker: str, *options: str) -> None:
        self.turns.append((speaker, self.dice.choice(options)))

    def pick(self, *options: str) -> str:
        return self.dice.choice(options)

    def chance(self, share: float) -> bool:
        return self.dice.random() < share

    def yes(self) -> str:
        return self.dice.choice(words.YES)

    def name(self) -> str:
        """Anybody but the speakers: mostly a common name, sometimes one never heard before."""
        while True:
            name = any_name(self.dice, self.names)
            if name not in (self.a, self.b, self.c):
                return name

    def item(self, options: tuple[str, ...]) -> str:
        """One of the options; in one case of ten its last word is made up: `the birthday zolak`."""
        chosen = self.dice.choice(options)
        return chosen if self.dice.random() > 0.1 else " ".join([*chosen.split()[:-1], made_up(self.dice)])

    def street(self) -> str:
        street = self.dice.choice(words.STREETS)
        return street if self.dice.random() > 0.3 else f"{capital(made_up(self.dice))} {street.split()[1]}"

    def thing(self) -> str:
        """`the cake`, `the blue folder`, `Hugo's bike`."""
        roll, thing = self.dice.random(), self.item(words.THINGS)
        if roll < 0.6:
            return f"the {thing}"
        return f"the {self.dice.choice(words.QUALITIES)} {thing}" if roll < 0.85 else f"{self.name()}'s {thing}"

    def place(self, *taken: str) -> str:
        """`the library`, `the cafe on Mill Street`, `Bar Rosa`, `room 204`; none of those taken."""
        while True:
            roll = self.dice.random()
            if roll < 0.6:
                place = self.item(words.PLACES)
            elif roll < 0.78:
                place = f"the {self.dice.choice(words.COMMON_PLACES)} on {self.street()}"
            elif roll < 0.93:
                place = self.dice.choice(words.PROPER_PLACES).format(self.name())
            else:
                place = self.dice.choice(words.NUMBERED_PLACES).format(self.dice.randint(1, 499))
            if place not in taken:
                return place

    def clock(self) -> str:
        roll = self.dice.random()
        hour = self.dice.choice(words.HOURS if roll < 0.4 else words.PARTED if roll < 0.55 else words.CLOCKS)
        return f"at {hour}"

    def day(self) -> str:
        roll, weekday = self.dice.random(), self.dice.choice(words.WEEKDAYS)
        if roll < 0.4:
            return f"on {weekday}"
        if roll < 0.65:
            return self.pick("tomorrow", "tomorrow", "tonight", "today", "this evening")
        if roll < 0.78:
            return f"on {weekday} {self.pick(*words.PARTS)}"
        if roll < 0.86:
            return f"tomorrow {self.pick(*words.PARTS)}"
        return f"next {weekday}" if roll < 0.94 else f"on {self.dice.randint(1, 30)} {self.dice.choice(words.MONTHS)}"

    def when(self) -> When:
        roll = self.dice.random()
        if roll < 0.4:
            return When(clock=self.clock())
        return When(self.day(), self.clock()) if roll < 0.85 else When(self.day())

    def moved(self, when: When) -> tuple[When, str]:
        """Another time, and the words for it: the hour, the day, or both are new."""
        roll = self.dice.random()
        if roll < 0.5 and when.clock:
            fresh = replace(when, clock=self.clock())
            said = fresh.clock.removeprefix("at ") if self.chance(0.6) else fresh.clock
        elif roll < 0.75 and when.day:
            fresh = replace(when, day=self.day())
            said = fresh.day.removeprefix("on ") if self.chance(0.5) else fresh.day
        else:
            fresh = When(self.day(), self.clock()) if self.chance(0.6) else When(when.day, self.clock())
            said = str(fresh)
        return (fresh, said) if fresh != when else self.moved(when)

    def settle_time(self, when: When, speaker: str, answerer: str) -> When:
        """Sometimes somebody moves the time, or tries to; returns the one that holds."""
        roll = self.dice.random()
        if roll > 0.45:
            return when
        fresh, said = self.moved(when)
        self.say(
            speaker,
            f"Actually, can we make it {said}?",
            f"Wait, make it {said}.",
            f"Sorry, {said} is better.",
            f"Actually make it {said}.",
            f"Hm, could we say {said} instead?",
            f"Can it be {said}?",
            f"I have something else then. {capital(said)}?",
            f"{capital(said)} would be better for me.",
            f"{capital(str(when))} is bad for me. {capital(said)}?",
            f"I have practice then. {capital(said)}?",
            f"Is {said} OK?",
            f"Can we do {said}? I need to sleep.",
        )
        if roll < 0.12:  # refused: the first time holds
            self.say(
                answerer,
                f"No, that doesn't work. Let's keep {when}.",
                f"I can't then, sorry. {capital(str(when))} as planned?",
                f"Sorry, it has to be {when}.",
                "I can't then. Let's keep it as it was.",
            )
            self.say(speaker, "OK, as planned then.", f"All right, {when}.", "OK, never mind.", "Fine.")
            return when
        self.say(
            answerer, f"OK, {said} then.", f"Fine, {said}.", "That works too.", f"{self.yes()}.", "No problem.",
            f"{capital(said)} works.", f"{capital(said)} is fine, thanks.", f"Haha, OK, {said} it is.",
        )  # fmt: skip
        return fresh

    def settle_place(self, place: str, speaker: str, answerer: str) -> str:
        """Sometimes the place is moved or made more exact; returns the one that holds."""
        bare = place.removeprefix("the ")
        if bare in words.COMMON_PLACES and self.chance(0.6):
            street = self.street()
            self.say(speaker, f"Which {bare}?", f"{self.yes()}, which {bare}?", "Which one?", f"What {bare}?")
            self.say(answerer, f"The one on {street}.", f"The {bare} on {street}.", f"On {street}.")
            return f"the {bare} on {street}"
        if not self.chance(0.25):
            return place
        other = self.place(place)
        self.say(
            speaker,
            f"I'd rather go to {other}.",
            f"{capital(place)} is closed. {capital(other)}?",
            f"Not {place}, please. What about {other}?",
            f"Isn't {place} too far? How about {other}?",
            f"Can we make it {other} instead?",
            f"{capital(place)} is closed on {self.dice.choice(words.WEEKDAYS)}s. How about {other}?",
        )
        self.say(
            answerer, f"OK, {other} then.", "Good idea.", "Fine with me.", f"{self.yes()}, {other}.", "Good, same time."
        )
        return other

    def ask_out(self, slots: dict[str, str], asker: str, answerer: str) -> None:
        """What was not said yet is asked for, question by question: where, when.

        slots: the question's word (`where`, `where from`, `when`, `what time`), and the answer.
        """
        for question, answer in slots.items():
            self.say(
                asker, f"{capital(question)}?", f"{self.yes()}. {capital(question)}?", f"{self.yes()}, {question}?"
            )
            self.say(answerer, f"{capital(answer)}.", f"{capital(answer)}, please.", f"{capital(answer)}!")

    def settle_choice(self, chosen: str, options: tuple[str, ...], speaker: str, answerer: str) -> str:
        """Sometimes somebody wants another of the options; returns the one that holds."""
        if not self.chance(0.3):
            return chosen
        other = self.dice.choice([one for one in options if one != chosen])
        self.say(
            speaker,
            f"Rather {other}, please.",
            f"Hm, not {chosen}. {capital(other)}?",
            f"I'd prefer {other}.",
            f"Could it be {other} instead?",
        )
        self.say(answerer, "OK!", f"{capital(other)} it is.", f"Fine, {other} then.", f"{self.yes()}.")
        return other


def any_name(dice: random.Random, names: tuple[str, ...]) -> str:
    """One of the names, or in three of ten cases a made-up one, so that names are read and not known by heart."""
    if dice.random() > 0.3:
        return dice.choice(names)
    while True:
        first, second = dice.choice(names), dice.choice(names)
        spliced = first[: dice.randint(1, len(first))] + second[dice.randint(1, len(second) - 1) :]
        name = spliced if dice.random() < 0.5 else capital(made_up(dice))
        if name in names or name not in words.NAMES:  # never by chance one that is kept for the test
            return name


def made_up(dice: random.Random) -> str:
    """A word of one to three syllables that nobody has heard."""
    return "".join(dice.choices(words.SYLLABLES, k=dice.choice((1, 2, 2, 3)))) + dice.choice(words.NAME_ENDINGS)
