"""Talk in which people agree on something, or call it off: meetings, meals, presents, tables, sales.

Each scene plays one dialogue out and returns its summary and the facts that a summary must hold. What was
proposed first may be moved, refused or haggled over. The summary says only what holds in the end.
"""

from __future__ import annotations

from training.corpus import words
from training.corpus.talk import Talk, Told, capital


def meeting(talk: Talk) -> Told:
    """Two or three meet somewhere."""
    place, when = talk.place(), talk.when()
    if talk.chance(0.15):
        talk.say(talk.a, "Shall we meet?", "Do you want to meet?", "Can I see you soon?", "We should meet again!")
        talk.ask_out({talk.pick("when", "what time"): str(when), "where": f"at {place}"}, talk.b, talk.a)
        return f"{talk.a} and {talk.b} will meet at {place} {when}.", (talk.a, talk.b, place, *when.facts)
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


def pastime(talk: Talk) -> Told:
    """Two do something together, or one refuses."""
    what, when, place = talk.item(words.PASTIMES), talk.when(), talk.place()
    has_place = talk.chance(0.4)
    where = f" at {place}" if has_place else ""
    talk.say(
        talk.a,
        f"Do you want to {what}{where} {when}?",
        f"Shall we {what}{where} {when}?",
        f"Let's {what}{where} {when}!",
        f"Would you like to {what} {when}?" + (f" At {place}?" if has_place else ""),
        f"I want to {what}{where} {when}. Are you in?",
        f"{capital(what)} {when}?" + (f" At {place}?" if has_place else ""),
        f"Are we still on to {what} {when}?" + (f" At {place}?" if has_place else ""),
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


def change_of_plan(talk: Talk) -> Told:
    """Somebody can't come, and why; perhaps it is moved."""
    activity, (said, told) = talk.item(words.ACTIVITIES), talk.dice.choice(words.REASONS)
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


def meal(talk: Talk) -> Told:
    """One cooks, the other brings something."""
    dish, drink, when = talk.item(words.DISHES), talk.item(words.DRINKS), talk.when()
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


def present(talk: Talk) -> Told:
    """What to give a third person, and who buys it."""
    gift = talk.item(words.GIFTS)
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


def appointment(talk: Talk) -> Told:
    """When somebody has an appointment; it may have been moved."""
    what, when = talk.item(words.APPOINTMENTS), talk.when()
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
    article = "an" if what[0] in "aeiouE" else "a"
    return f"{who} has {article} {what} {when}.", (who, what, *when.facts)


def table(talk: Talk) -> Told:
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


def sale(talk: Talk) -> Told:
    """One sells the other a thing; they haggle."""
    thing, money = talk.item(words.THINGS), talk.pick("euros", "dollars", "pounds")
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
