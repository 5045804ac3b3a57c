"""Twelve dialogues that a person typed, not the generator: how far the model carries beyond its own corpus.

Written once, before the model was trained, and never trained on. The facts are the least that a reader
would want from a summary; the wording is free.
"""

from __future__ import annotations

from training.corpus import Example


def _typed(dialogue: str, summary: str, *facts: str) -> Example:
    return Example(dialogue, summary, facts, "handwritten")


HANDWRITTEN = (
    _typed(
        "Anna: Can you buy milk on the way home?\nTom: Sure, I will be there at six.",
        "Tom will buy milk on the way home.",
        "Tom",
        "milk",
    ),
    _typed(
        "Anna: Hi Tom, can you pick up the cake from the bakery at five?\n"
        "Tom: Sure, which bakery?\nAnna: The one on Mill Street. Thanks!",
        "Tom will pick up the cake from the bakery on Mill Street at five.",
        "Tom",
        "cake",
        "Mill Street",
        "five",
    ),
    _typed(
        "Greta: Dinner on Friday?\n"
        "Sam: Friday is bad, I have practice. Saturday?\n"
        "Greta: Saturday works. Seven at Luigi's?\n"
        ""
        "Sam: Perfect, see you there.",
        "Greta and Sam will have dinner at Luigi's on Saturday at seven.",
        "Greta",
        "Sam",
        "Luigi's",
        "Saturday",
        "seven",
    ),
    _typed(
        "Mark: hey are we still on for tennis tomorrow at 10?\n"
        "Julie: yes! but can we make it 11? I need to sleep\n"
        ""
        "Mark: haha ok 11 it is",
        "Mark and Julie will play tennis tomorrow at 11.",
        "Mark",
        "Julie",
        "tennis",
        "tomorrow",
        "11",
    ),
    _typed(
        "Nora: I think I left my umbrella at your place yesterday.\n"
        "Phil: Yes, the green one! I'll bring it to work on Monday.\n"
        ""
        "Nora: Thank you!",
        "Nora left the umbrella at Phil's place. Phil will bring it on Monday.",
        "Nora",
        "umbrella",
        "Phil",
        "Monday",
    ),
    _typed(
        "Dad: When does your train get in?\n"
        "Lucy: At 18:40, main station.\n"
        "Dad: I'm still at work then. Mum will pick you up.\n"
        ""
        "Lucy: Great, thanks Dad!",
        "Lucy arrives at the main station at 18:40. Mum will pick her up.",
        "Lucy",
        "18:40",
        "Mum",
        "station",
    ),
    _typed(
        "Omar: Could you send the budget to Helen by Thursday?\nKim: Thursday is tight. Is Friday OK?\n"
        "Omar: Friday is fine, thanks.",
        "Kim will send the budget to Helen by Friday.",
        "Kim",
        "budget",
        "Friday",
    ),
    _typed(
        "Ella: What should we get Grandma for her birthday?\n"
        "Ben: A new kettle? Hers is broken.\n"
        "Ella: Great idea. Will you order it?\n"
        ""
        "Ben: Yes, tonight.",
        "Ben will order a kettle for Grandma's birthday tonight.",
        "Ben",
        "kettle",
        "Grandma",
    ),
    _typed(
        "Priya: I can't make it to yoga tonight, my son is ill.\nLaura: Oh no, I hope he gets better soon!\n"
        "Priya: Thanks. See you next week.",
        "Priya can't come to yoga because her son is ill.",
        "Priya",
        "can't",
        "yoga",
        "ill",
    ),
    _typed(
        "Jack: Can I borrow your drill at the weekend?\n"
        "Mia: Sure, but I need it back on Tuesday.\n"
        "Jack: No problem, I'll bring it on Monday evening.",
        "Mia will lend Jack the drill. Jack will bring it back on Monday evening.",
        "Mia",
        "Jack",
        "drill",
        "Monday evening",
    ),
    _typed(
        "Tess: Is the table booked for tomorrow?\nRob: Yes, four people, half past seven, the Blue Lion.\n"
        "Tess: My sister is coming too, so make it five.\nRob: I'll call them.",
        "Rob will book a table for five at the Blue Lion tomorrow at half past seven.",
        "Rob",
        "five",
        "Blue Lion",
        "half past seven",
    ),
    _typed(
        "Viktor: Shall we meet at the library at three?\n"
        "Annika: It's closed on Wednesdays. How about the cafe on Oak Lane?\n"
        ""
        "Viktor: Good, same time.\nAnnika: See you!",
        "Viktor and Annika will meet at the cafe on Oak Lane at three.",
        "Viktor",
        "Annika",
        "Oak Lane",
        "three",
    ),
)
