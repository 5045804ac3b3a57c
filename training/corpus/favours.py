"""Talk in which one asks and somebody does it: errands, lifts, loans, calls, jobs.

Each scene plays one dialogue out and returns its summary and the facts that a summary must hold. The one who was
asked may refuse, or name a third; times and places may be moved. The summary says only what holds in the end.
"""

from __future__ import annotations

from training.corpus import words
from training.corpus.talk import Talk, Told, When, capital

# verb, and the word before the place
FETCHING = (("pick up", "from"), ("get", "from"), ("fetch", "from"), ("collect", "from"))
BRINGING = (("return", "to"), ("bring", "to"), ("take", "to"), ("drop off", "at"), ("leave", "at"), ("deliver", "to"))
ON_THE_WAY = "on the way home"


def errand(talk: Talk) -> Told:
    """Somebody fetches, buys or brings something: the one who was asked, the one who asks, or a third."""
    verb, towards, thing = _chore(talk)
    place, when = talk.place(), talk.when()
    if talk.chance(0.1):
        return _errand_in_questions(talk, f"{verb} {thing}", towards, place, when)
    has_place, has_time = talk.chance(0.75), talk.chance(0.8)
    if not has_time and talk.chance(0.4):
        when, has_time = When(day=ON_THE_WAY), True
    where, at = f" {towards} {place}" if has_place else "", f" {when}" if has_time else ""
    talk.say(
        talk.a,
        f"Can you {verb} {thing}{where}{at}?",
        f"Could you {verb} {thing}{where}{at or ' if you have time'}?",
        f"Could you please {verb} {thing}{where}? {capital(at.strip() or 'please')}.",
        f"Somebody has to {verb} {thing}{where}{at}. Can you?",
        f"Would you {verb} {thing}{where}{at} for me?",
        f"Don't forget to {verb} {thing}{where}{at}!",
        f"I need you to {verb} {thing}{where}{at}.",
        f"We need to {verb} {thing}{where}{at}. Can you do that?",
    )
    doer = _doer(talk)
    if doer == talk.b and has_place:
        place = talk.settle_place(place, talk.b, talk.a)
    if doer == talk.b and has_time and when.day == ON_THE_WAY:
        talk.say(talk.b, f"I will be there {talk.clock()}.", f"I'm home {talk.clock()}.", "See you later.")
    elif doer == talk.b and has_time:
        when = talk.settle_time(when, *talk.dice.sample((talk.a, talk.b), 2))
    where, at = f" {towards} {place}" if has_place else "", f" {when}" if has_time else ""
    facts = (doer, f"{verb} {thing}", *((place,) if has_place else ()), *(when.facts if has_time else ()))
    return f"{doer} will {verb} {thing}{where}{at}.", facts


def _chore(talk: Talk) -> tuple[str, str, str]:
    """Verb, the word before the place, and the thing."""
    roll = talk.dice.random()
    if roll < 0.7:
        verb, towards = talk.dice.choice(FETCHING if roll < 0.45 else BRINGING)
        return verb, towards, talk.thing()
    return talk.pick("buy", "get"), talk.pick("at", "from"), talk.item(words.FOODS_TO_BUY)


def _errand_in_questions(talk: Talk, what: str, towards: str, place: str, when: When) -> Told:
    talk.say(talk.a, f"Can you {what}?", f"Could you {what} for me?", f"I need you to {what}.")
    where = "where from" if towards == "from" else "where"
    talk.ask_out({where: f"{towards} {place}", "when": str(when)}, talk.b, talk.a)
    return f"{talk.b} will {what} {towards} {place} {when}.", (talk.b, what, place, *when.facts)


def _doer(talk: Talk) -> str:
    """Who does what b was asked to do."""
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
        return talk.c
    if roll < 0.35:
        talk.say(talk.b, "Sorry, I have no time.", "I am afraid I can't.", "I can't, sorry.", "No, I'm too busy.")
        talk.say(talk.a, "Never mind, I will go myself.", "OK, then I do it myself.", "OK, I'll do it then.")
        return talk.a
    talk.say(
        talk.b, f"{talk.yes()}.", f"{talk.yes()}, I will.", "I am going there anyway.", f"{talk.yes()}, I'll do it."
    )
    return talk.b


def left_behind(talk: Talk) -> Told:
    """Something was left somewhere, and comes back."""
    thing, place, when = talk.item(words.BELONGINGS), talk.place(), talk.when()
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


def arrival(talk: Talk) -> Told:
    """One arrives, somebody picks them up."""
    place, when = talk.pick("the station", "the airport", "the bus stop", "the harbour", talk.place()), talk.when()
    if talk.chance(0.25):
        talk.say(talk.b, "When do you arrive?", "When does your train get in?", "When are you coming?")
        talk.say(talk.a, f"{capital(str(when))}, {place}.", f"{capital(str(when))}, at {place}.", f"{when}, {place}")
    else:
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
        talk.say(
            talk.b,
            f"I have to work, but {driver} will pick you up.",
            f"{driver} can pick you up.",
            f"I'm still at work then. {driver} will pick you up.",
        )
    else:
        talk.say(talk.b, "I will pick you up.", "Great, I'll come and get you.", "I can pick you up there.")
    when = talk.settle_time(when, talk.a, talk.b)
    facts = (talk.a, place, *when.facts, driver)
    return f"{talk.a} arrives at {place} {when}. {driver} will pick {talk.a} up.", facts


def lift(talk: Talk) -> Told:
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


def job(talk: Talk) -> Told:
    """Who does a piece of work, and until when."""
    what, by = talk.item(words.JOBS), f"by {talk.dice.choice((*words.WEEKDAYS, 'tomorrow', 'tonight', 'noon'))}"
    talk.say(
        talk.a,
        f"Can you {what} {by}?",
        f"Who can {what}? We need it {by}.",
        f"Somebody must {what} {by}.",
        f"Could you {what}? It has to be done {by}.",
    )
    roll, doer = talk.dice.random(), talk.b
    if roll < 0.3:
        doer = talk.c
        talk.say(talk.b, f"{doer} wanted to do it.", f"I gave that to {doer}.", f"Not me. Ask {doer}.")
        talk.say(talk.a, f"OK, {doer} then.", "Fine.", "Good.")
    elif roll < 0.45:
        doer = talk.a
        talk.say(talk.b, "I can't, sorry.", "I have too much to do.", "Could you do it yourself?")
        talk.say(talk.a, "OK, I'll do it.", "Then I will do it myself.", "Fine, I do it.")
    else:
        talk.say(talk.b, "I can do it.", f"{talk.yes()}, I'll do it.", "Leave it to me.", f"{talk.yes()}.")
        if talk.chance(0.3):
            other = f"by {talk.dice.choice([day for day in words.WEEKDAYS if day not in by])}"
            talk.say(talk.b, f"But only {other}.", f"Is {other} all right?", f"I need more time. {capital(other)}?")
            talk.say(talk.a, f"{talk.yes()}.", "That's fine.", f"OK, {other}.")
            by = other
    return f"{doer} will {what} {by}.", (doer, what, by)


def loan(talk: Talk) -> Told:
    """One lends the other a thing."""
    thing = talk.item(words.THINGS)
    when = talk.day()
    talk.say(
        talk.a,
        f"Can I borrow your {thing}?",
        f"Could you lend me your {thing}?",
        f"May I borrow your {thing} for a few days?",
        f"I need your {thing}. Can you lend it to me?",
    )
    if talk.chance(0.2):
        talk.say(talk.b, f"I gave it to {talk.c}.", f"{talk.c} has it at the moment.", f"Sorry, {talk.c} took it.")
        talk.say(talk.a, f"Then I'll ask {talk.c}.", f"OK, I'll talk to {talk.c}.")
        return f"{talk.a} will ask {talk.c} for the {thing}.", (talk.a, talk.c, thing)
    talk.say(
        talk.b, f"{talk.yes()}, but I need it back {when}.", f"{talk.yes()}. Please bring it back {when}.",
        f"{talk.yes()}, until {when.removeprefix('on ')}.",
    )  # fmt: skip
    talk.say(talk.a, f"{talk.yes()}.", "I promise.", "Of course.")
    facts = (talk.b, talk.a, thing, when)
    return f"{talk.b} will lend {talk.a} the {thing}. {talk.a} will bring it back {when}.", facts


def call(talk: Talk) -> Told:
    """One calls the other, or a third person."""
    when = talk.when()
    caller, called = talk.b, talk.a
    if talk.chance(0.5):
        called = talk.c
        talk.say(
            talk.a,
            f"Can you call {called} {when}?",
            f"Please call {called} {when}.",
            f"{called} wants you to call {when}.",
        )
    else:
        talk.say(talk.a, f"Can you call me {when}?", f"Please call me {when}.", f"Call me {when}, OK?")
    if called == talk.c and talk.chance(0.2):
        caller = talk.a
        talk.say(talk.b, "I don't have the number. Can you do it?", "I'd rather not. You call, please.")
        talk.say(talk.a, "OK, I'll call.", "Fine, I do it.")
    else:
        talk.say(talk.b, f"{talk.yes()}.", f"{talk.yes()}, I'll call.", "I will.")
    when = talk.settle_time(when, *talk.dice.sample((talk.a, talk.b), 2))
    return f"{caller} will call {called} {when}.", (caller, called, *when.facts)
