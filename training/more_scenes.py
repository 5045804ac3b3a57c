"""The other half of the kinds of talk: presents, jobs, appointments, tables, loans, sales, calls."""

from __future__ import annotations

from training import words
from training.scenes import Scene, arrival, change_of_plan, errand, left_behind, lift, meal, meeting, pastime
from training.talk import Talk, capital


def present(talk: Talk) -> tuple[str, tuple[str, ...]]:
    """What to give a third person, and who buys it."""
    gift = talk.pick(*words.GIFTS)
    talk.say(
        talk.a,
        f"What do we give {talk.c} for the birthday?",
        f"{talk.c} has a birthday soon. Any ideas?",
        f"It's {talk.c}'s birthday soon. What shall we buy?",
    )
    talk.say(talk.b, f"How about {gift}?", f"I thought of {gift}.", f"Maybe {gift}?", f"{capital(gift)}?")
    if talk.chance(0.35):
        other = talk.dice.choice([one for one in words.GIFTS if one != gift])
        talk.say(talk.a, f"{talk.c} has that already. {capital(other)}?", f"Hm, I'd rather buy {other}.")
        talk.say(talk.b, "Even better.", f"Yes, {other}!", "Good idea.")
        gift = other
    else:
        talk.say(talk.a, "Good idea!", "Perfect, that's it.", f"{talk.c} will love it.")
    if talk.chance(0.6):
        buyer, when = talk.pick(talk.a, talk.b), talk.day()
        if talk.chance(0.5):
            talk.say(buyer, f"I will buy it {when}.", f"I can get it {when}.")
            return f"{buyer} will buy {gift} for {talk.c}'s birthday {when}.", (buyer, gift, talk.c, when)
        talk.say(buyer, "I will buy it.", "I can get it.", "I'll order it.")
        return f"{buyer} will buy {gift} for {talk.c}'s birthday.", (buyer, gift, talk.c)
    return f"{talk.a} and {talk.b} will give {talk.c} {gift}.", (talk.a, talk.b, gift, talk.c)


def job(talk: Talk) -> tuple[str, tuple[str, ...]]:
    """Who does a piece of work, and until when."""
    what, by = talk.pick(*words.JOBS), f"by {talk.dice.choice((*words.WEEKDAYS, 'tomorrow', 'tonight', 'noon'))}"
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


def appointment(talk: Talk) -> tuple[str, tuple[str, ...]]:
    """When somebody has an appointment; it may have been moved."""
    what, when = talk.pick(*words.APPOINTMENTS), talk.when()
    who = talk.c if talk.chance(0.35) else talk.b
    asked = f"your {what}" if who == talk.b else f"{who}'s {what}"
    talk.say(talk.a, f"When is {asked}?", f"Do you know when {asked} is?", f"Is {asked} soon?", f"What about {asked}?")
    if talk.chance(0.4):
        fresh, _ = talk.moved(when)
        talk.say(
            talk.b, f"It was {when}, but they moved it. Now it is {fresh}.", f"It is {when}. No, wait, {fresh}.",
            f"Not {when} any more. It is {fresh}.",
        )  # fmt: skip
        when = fresh
    else:
        talk.say(talk.b, f"{capital(str(when))}.", f"It is {when}.", f"{capital(str(when))}, I think.")
    if talk.chance(0.4):
        talk.say(talk.a, "Good luck!", "I'll keep my fingers crossed.", "All the best!")
    return f"{who} has a {what} {when}.", (who, what, *when.facts)


def table(talk: Talk) -> tuple[str, tuple[str, ...]]:
    """A table is booked for some people."""
    place, when = talk.place(), talk.when()
    counts = ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "twelve")
    count, booker = talk.pick(*counts), talk.b
    talk.say(
        talk.a,
        f"Can you book a table for {count} at {place} {when}?",
        f"We need a table for {count} at {place} {when}.",
        f"Let's eat at {place} {when}. Will you book a table for {count}?",
    )
    if talk.chance(0.2):
        booker = talk.a
        talk.say(talk.b, "Can you do it? My phone is dead.", "I have no time, sorry.", "Could you call them?")
        talk.say(talk.a, "OK, I'll book it.", "Fine, I will do it.")
    else:
        talk.say(talk.b, f"{talk.yes()}.", "I'll call them.", f"{talk.yes()}, I'll book it.")
    if talk.chance(0.35):
        other = talk.dice.choice([one for one in counts if one != count])
        talk.say(
            talk.a, f"Actually, we are {other}.", f"Make it {other} people.", f"{talk.c} is coming too, so for {other}."
        )
        talk.say(talk.b, f"OK, {other}.", "No problem.", f"Fine, a table for {other}.")
        count = other
    when = talk.settle_time(when, *talk.dice.sample((talk.a, talk.b), 2))
    facts = (booker, f"for {count}", place, *when.facts)
    return f"{booker} will book a table for {count} at {place} {when}.", facts


def loan(talk: Talk) -> tuple[str, tuple[str, ...]]:
    """One lends the other a thing."""
    thing = talk.pick(*words.THINGS)
    when = talk.day()
    talk.say(
        talk.a,
        f"Can I borrow your {thing}?",
        f"Could you lend me your {thing}?",
        f"May I borrow your {thing} for a few days?",
        f"I need a {thing}. Can you lend me yours?",
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


def sale(talk: Talk) -> tuple[str, tuple[str, ...]]:
    """One sells the other a thing; they haggle."""
    thing, money = talk.pick(*words.THINGS), talk.pick("euros", "dollars", "pounds")
    price = talk.dice.randint(2, 99) * talk.dice.choice((1, 1, 5, 10))
    talk.say(
        talk.a,
        f"Do you want to buy my {thing}? {price} {money}.",
        f"I'm selling my {thing} for {price} {money}. Interested?",
        f"I sell my {thing}. {price} {money}?",
    )
    if talk.chance(0.5):
        other = max(1, price - talk.dice.randint(1, max(1, price // 2)))
        talk.say(talk.b, f"That's too much. {other}?", f"I can give you {other} {money}.", f"For {other} I'll take it.")
        if talk.chance(0.4):
            last = talk.dice.randint(other, price)
            talk.say(talk.a, f"Let's say {last}.", f"Make it {last}.", f"{last} and it is yours.")
            talk.say(talk.b, "Deal!", "OK.", f"OK, {last}.")
            price = last
        else:
            talk.say(talk.a, "Deal!", f"OK, {other}.", "Fine.")
            price = other
    else:
        talk.say(talk.b, "I'll take it!", "Deal.", f"{talk.yes()}, I'll take it.")
    return f"{talk.a} will sell {talk.b} the {thing} for {price} {money}.", (talk.a, talk.b, thing, f"{price} {money}")


def call(talk: Talk) -> tuple[str, tuple[str, ...]]:
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
    if talk.chance(0.2):
        caller = talk.a if called == talk.c else talk.b
        if caller == talk.a:
            talk.say(talk.b, "I don't have the number. Can you do it?", "I'd rather not. You call, please.")
            talk.say(talk.a, "OK, I'll call.", "Fine, I do it.")
    else:
        talk.say(talk.b, f"{talk.yes()}.", f"{talk.yes()}, I'll call.", "I will.")
    when = talk.settle_time(when, *talk.dice.sample((talk.a, talk.b), 2))
    return f"{caller} will call {called} {when}.", (caller, called, *when.facts)


SCENES: dict[str, Scene] = {
    "errand": errand,
    "meeting": meeting,
    "pastime": pastime,
    "change_of_plan": change_of_plan,
    "left_behind": left_behind,
    "meal": meal,
    "arrival": arrival,
    "lift": lift,
    "present": present,
    "job": job,
    "appointment": appointment,
    "table": table,
    "loan": loan,
    "sale": sale,
    "call": call,
}
