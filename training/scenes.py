"""The kinds of talk: each plays one dialogue out and returns its summary and the facts a summary must hold.

A scene decides the facts as it goes: an offer may be refused, a time moved, somebody else may do it. The
summary says only what holds in the end. Knows nothing of greetings, splits or tokens.
"""

from __future__ import annotations

from collections.abc import Callable

from training import words
from training.talk import Talk, When, capital

Scene = Callable[[Talk], tuple[str, tuple[str, ...]]]
# verb, and the word before the place
FETCHING = (("pick up", "from"), ("get", "from"), ("fetch", "from"), ("collect", "from"))
BRINGING = (("return", "to"), ("bring", "to"), ("take", "to"), ("drop off", "at"), ("leave", "at"), ("deliver", "to"))


def errand(talk: Talk) -> tuple[str, tuple[str, ...]]:
    """Somebody fetches, buys or brings something: the one who was asked, the one who asks, or a third."""
    place, when, roll = talk.place(), talk.when(), talk.dice.random()
    if roll < 0.45:
        (verb, towards), thing = talk.dice.choice(FETCHING), talk.thing()
    elif roll < 0.7:
        (verb, towards), thing = talk.dice.choice(BRINGING), talk.thing()
    else:
        verb, towards, thing = talk.pick("buy", "get"), talk.pick("at", "from"), talk.pick(*words.FOODS_TO_BUY)
    has_place, has_time = talk.chance(0.75), talk.chance(0.8)
    where = f" {towards} {place}" if has_place else ""
    at = f" {when}" if has_time else talk.pick("", "", " on the way home", " if you have time")
    talk.say(
        talk.a,
        f"Can you {verb} {thing}{where}{at}?",
        f"Could you {verb} {thing}{where}{at}?",
        f"Could you please {verb} {thing}{where}? {capital(at.strip() or 'please')}.",
        f"Somebody has to {verb} {thing}{where}{at}. Can you?",
        f"Would you {verb} {thing}{where}{at} for me?",
        f"Don't forget to {verb} {thing}{where}{at}!",
        f"I need you to {verb} {thing}{where}{at}.",
        f"We need to {verb} {thing}{where}{at}. Can you do that?",
    )
    if at == " on the way home":
        has_time, when = True, When(day="on the way home")
    doer, asked = _doer(talk)
    if asked and has_place:
        place = talk.settle_place(place, talk.b, talk.a)
    if asked and has_time and at != " on the way home":
        when = talk.settle_time(when, *talk.dice.sample((talk.a, talk.b), 2))
    where = f" {towards} {place}" if has_place else ""
    at = f" {when}" if has_time else ""
    facts = (doer, verb, thing, *((place,) if has_place else ()), *(when.facts if has_time else ()))
    return f"{doer} will {verb} {thing}{where}{at}.", facts


def _doer(talk: Talk) -> tuple[str, bool]:
    """Who does what b was asked to do, and whether it is b."""
    roll = talk.dice.random()
    if roll < 0.2:
        talk.say(
            talk.b,
            f"I can't, but {talk.c} can do it.",
            f"Sorry, no. {talk.c} is near there and will go.",
            f"I'm busy, ask {talk.c}.",
            f"I have no time. Maybe {talk.c}?",
        )
        talk.say(
            talk.a, f"OK, please ask {talk.c}.", f"{talk.c} is fine too.", f"OK, {talk.c} then.", "Good, I'll ask."
        )
        return talk.c, False
    if roll < 0.35:
        talk.say(talk.b, "Sorry, I have no time.", "I am afraid I can't.", "I can't, sorry.", "No, I'm too busy.")
        talk.say(talk.a, "Never mind, I will go myself.", "OK, then I do it myself.", "OK, I'll do it then.")
        return talk.a, False
    talk.say(
        talk.b, f"{talk.yes()}.", f"{talk.yes()}, I will.", "I am going there anyway.", f"{talk.yes()}, I'll do it."
    )
    return talk.b, True


def meeting(talk: Talk) -> tuple[str, tuple[str, ...]]:
    """Two or three meet somewhere."""
    place, when = talk.place(), talk.when()
    talk.say(
        talk.a,
        f"Shall we meet at {place} {when}?",
        f"Do you want to meet {when}? At {place}?",
        f"Let's meet at {place} {when}.",
        f"Can we meet {when} at {place}?",
        f"Are you free {when}? We could meet at {place}.",
        f"Meet me at {place} {when}?",
    )
    talk.say(talk.b, f"{talk.yes()}!", "Sounds good.", "I would love to.", "Good idea.", f"{talk.yes()}, why not.")
    place = talk.settle_place(place, talk.b, talk.a)
    when = talk.settle_time(when, *talk.dice.sample((talk.a, talk.b), 2))
    if talk.chance(0.2):
        talk.say(talk.b, f"{talk.c} is coming too.", f"I'll bring {talk.c}.", f"Can {talk.c} come with us?")
        talk.say(talk.a, f"{talk.yes()}.", "The more the better.", "Great!")
        facts = (talk.a, talk.b, talk.c, place, *when.facts)
        return f"{talk.a}, {talk.b} and {talk.c} will meet at {place} {when}.", facts
    return f"{talk.a} and {talk.b} will meet at {place} {when}.", (talk.a, talk.b, place, *when.facts)


def pastime(talk: Talk) -> tuple[str, tuple[str, ...]]:
    """Two do something together, or one refuses."""
    what, when, place = talk.pick(*words.PASTIMES), talk.when(), talk.place()
    has_place = talk.chance(0.4)
    where = f" at {place}" if has_place else ""
    talk.say(
        talk.a,
        f"Do you want to {what}{where} {when}?",
        f"Shall we {what}{where} {when}?",
        f"Let's {what}{where} {when}!",
        f"Would you like to {what} {when}?" + (f" At {place}?" if has_place else ""),
        f"I want to {what}{where} {when}. Are you in?",
    )
    if talk.chance(0.15):
        said, told = talk.dice.choice(words.REASONS)
        talk.say(talk.b, f"I can't, {said}.", f"Sorry, {said}.", f"I'd love to, but {said}.")
        talk.say(talk.a, "Oh, what a pity.", "Next time then.", "OK, another time.")
        return f"{talk.b} can't {what} with {talk.a} because {talk.b} {told}.", (talk.b, what, talk.a, told)
    talk.say(talk.b, f"{talk.yes()}!", "I'm in.", "I would love to.", "Good idea.", "With pleasure.")
    if has_place:
        place = talk.settle_place(place, talk.b, talk.a)
        where = f" at {place}"
    when = talk.settle_time(when, *talk.dice.sample((talk.a, talk.b), 2))
    facts = (talk.a, talk.b, what, *((place,) if has_place else ()), *when.facts)
    return f"{talk.a} and {talk.b} will {what}{where} {when}.", facts


def change_of_plan(talk: Talk) -> tuple[str, tuple[str, ...]]:
    """Somebody can't come, and why; perhaps it is moved."""
    activity, (said, told) = talk.pick(*words.ACTIVITIES), talk.dice.choice(words.REASONS)
    who, other = (talk.a, talk.b) if talk.chance(0.6) else (talk.b, talk.a)
    day = f" {talk.day()}" if talk.chance(0.3) else ""
    if who == talk.b:
        talk.say(
            talk.a,
            f"Are you coming to {activity}{day}?",
            f"All ready for {activity}{day}?",
            f"{capital(activity)}{day}?",
        )
    talk.say(
        who,
        f"I can't come to {activity}, {said}.",
        f"Sorry, {said}, so I can't make {activity}.",
        f"Sorry, I have to miss {activity}. {capital(said)}.",
        f"I won't make it to {activity} because {said}.",
    )
    talk.say(other, "Oh, what a pity.", "That's a shame.", "Oh no!", "I see.", "No problem.")
    if talk.chance(0.5):
        when = talk.when()
        talk.say(
            other, f"Shall we move it? {capital(str(when))}?", f"What about {when}?", f"Could you do {when} instead?"
        )
        talk.say(who, "That would be great.", "Yes, that works.", f"{capital(str(when))} is good.", f"{talk.yes()}.")
        when = talk.settle_time(when, *talk.dice.sample((who, other), 2))
        summary = f"{who} can't come to {activity} because {who} {told}. They will do it {when}."
        return summary, (who, activity, told, *when.facts)
    return f"{who} can't come to {activity} because {who} {told}.", (who, activity, told)


def left_behind(talk: Talk) -> tuple[str, tuple[str, ...]]:
    """Something was left somewhere, and comes back."""
    thing, place, when = talk.pick(*words.BELONGINGS), talk.place(), talk.when()
    talk.say(
        talk.a,
        f"I left my {thing} at {place}!",
        f"Have you seen my {thing}? I think I left it at {place}.",
        f"I can't find my {thing}. Maybe I forgot it at {place}?",
        f"I think my {thing} is still at {place}.",
    )
    finder = talk.b
    if talk.chance(0.3):
        finder = talk.c
        talk.say(talk.b, f"{finder} has it and can bring it {when}.", f"Yes, {finder} found it, and comes by {when}.")
    else:
        talk.say(
            talk.b, f"I found it. I will bring it {when}.", f"I have it, I can bring it {when}.",
            f"Yes, I have it here. Shall I bring it {when}?",
        )  # fmt: skip
        when = talk.settle_time(when, talk.a, talk.b)
    facts = (talk.a, thing, place, finder, *when.facts)
    return f"{talk.a} left the {thing} at {place}. {finder} will bring it {when}.", facts


def meal(talk: Talk) -> tuple[str, tuple[str, ...]]:
    """One cooks, the other brings something."""
    dish, drink, when = talk.pick(*words.DISHES), talk.pick(*words.DRINKS), talk.when()
    talk.say(
        talk.a,
        f"Come over {when}, I am making {dish}.",
        f"I am cooking {dish} {when}. Will you come?",
        f"Do you want to eat with us {when}? I'm making {dish}.",
        f"I'll make {dish} {when}. Are you coming?",
    )
    if talk.chance(0.5):
        talk.say(talk.b, f"{talk.yes()}!", "I'd love to.", "Gladly!")
    dish = talk.settle_choice(dish, words.DISHES, talk.b, talk.a)
    when = talk.settle_time(when, talk.b, talk.a)
    talk.say(
        talk.b, f"Great, I will bring {drink}.", f"Lovely! Shall I bring {drink}?", f"Yes! I'll bring {drink}.",
        f"I can bring {drink}.", f"What shall I bring? {capital(drink)}?",
    )  # fmt: skip
    drink = talk.settle_choice(drink, words.DRINKS, talk.a, talk.b)
    facts = (talk.a, dish, *when.facts, talk.b, drink)
    return f"{talk.a} will make {dish} {when}, and {talk.b} will bring {drink}.", facts


def arrival(talk: Talk) -> tuple[str, tuple[str, ...]]:
    """One arrives, somebody picks them up."""
    place, when = talk.pick("the station", "the airport", "the bus stop", "the harbour", talk.place()), talk.when()
    talk.say(
        talk.a,
        f"I arrive at {place} {when}.",
        f"My trip is booked, I will be at {place} {when}.",
        f"I'll be at {place} {when}. Can you pick me up?",
        f"Can you pick me up at {place} {when}?",
    )
    driver = talk.b
    if talk.chance(0.3):
        driver = talk.c
        talk.say(talk.b, f"I have to work, but {driver} will pick you up.", f"{driver} can pick you up.")
    else:
        talk.say(talk.b, "I will pick you up.", "Great, I'll come and get you.", "I can pick you up there.")
    when = talk.settle_time(when, talk.a, talk.b)
    facts = (talk.a, place, *when.facts, driver)
    return f"{talk.a} arrives at {place} {when}. {driver} will pick {talk.a} up.", facts


def lift(talk: Talk) -> tuple[str, tuple[str, ...]]:
    """One drives the other somewhere."""
    place, when = talk.place(), talk.when()
    talk.say(
        talk.a,
        f"Can you give me a lift to {place} {when}?",
        f"Could you drive me to {place} {when}?",
        f"I have to be at {place} {when}. Can you drive me?",
        f"How do I get to {place} {when}? Could you take me?",
    )
    driver = talk.b
    if talk.chance(0.3):
        driver = talk.c
        talk.say(talk.b, f"My car is broken, but {driver} can drive you.", f"Ask {driver}, I have no car.")
        talk.say(talk.a, f"OK, I'll ask {driver}.", "Good idea.", f"Great, {driver} then.")
    else:
        talk.say(talk.b, f"{talk.yes()}.", f"{talk.yes()}, I can drive you.", "I'll take you.")
        when = talk.settle_time(when, *talk.dice.sample((talk.a, talk.b), 2))
    return f"{driver} will drive {talk.a} to {place} {when}.", (driver, talk.a, place, *when.facts)
