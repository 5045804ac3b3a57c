"""Dialogues that a person typed, not the generator: how far the model carries beyond its own corpus.

None is trained on. Those of `DRAFTED` were there while the generator was written, and some turns of phrase
found their way into it; those of `HANDWRITTEN` were typed when it was finished. The facts are the least that a
reader would want from a summary; the wording is free.
"""

from __future__ import annotations

from training.corpus.dialogues import Example


def _typed(dialogue: str, summary: str, *facts: str) -> Example:
    return Example(dialogue, summary, facts, "handwritten")


DRAFTED = (
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

HANDWRITTEN = (
    _typed(
        "Marie: Hey Paul, could you return my library books tomorrow?\n"
        "Paul: Sure, which library?\n"
        "Marie: The one on Park Road.\n"
        "Paul: OK, will do!",
        "Paul will return the books to the library on Park Road tomorrow.",
        "Paul",
        "return",
        "books",
        "Park Road",
        "tomorrow",
    ),
    _typed(
        "Leo: Want to grab a pizza tonight?\n"
        "Hannah: Tonight I can't, but tomorrow would be great.\n"
        "Leo: Tomorrow at eight then!",
        "Leo and Hannah will have a pizza tomorrow at eight.",
        "Leo",
        "Hannah",
        "pizza",
        "tomorrow",
        "eight",
    ),
    _typed(
        "Sofia: Did you call the plumber?\n"
        "Daniel: Not yet, I'll call him on Monday morning.\n"
        "Sofia: Please don't forget.",
        "Daniel will call the plumber on Monday morning.",
        "Daniel",
        "call",
        "plumber",
        "Monday morning",
    ),
    _typed(
        "Kate: My flight lands at 9:20 pm on Sunday.\nBrian: I'll pick you up at the airport.\nKate: You're an angel!",
        "Kate arrives at the airport on Sunday at 9:20 pm. Brian will pick Kate up.",
        "Kate",
        "Brian",
        "9:20 pm",
        "Sunday",
        "airport",
    ),
    _typed(
        "Adam: I can't come to the meeting on Tuesday, I'm at the dentist.\n"
        "Ruth: Shall we do it on Wednesday at nine?\n"
        "Adam: Yes, perfect.",
        "Adam can't come to the meeting. They will do it on Wednesday at nine.",
        "Adam",
        "can't",
        "meeting",
        "Wednesday",
        "nine",
    ),
    _typed(
        "Nick: Are you bringing something to the barbecue?\n"
        "Jane: I was thinking of a potato salad.\n"
        "Nick: Eva is making one already.\n"
        "Jane: OK, then I'll bring bread.",
        "Jane will bring bread to the barbecue.",
        "Jane",
        "bring",
        "bread",
    ),
    _typed(
        "Tim: I'm selling my old guitar, 120 euros.\nOlga: Would you take 100?\nTim: 110 and it's yours.\nOlga: Deal!",
        "Tim will sell Olga the guitar for 110 euros.",
        "Tim",
        "Olga",
        "guitar",
        "110 euros",
    ),
    _typed(
        "Mona: Who takes the dog to the vet on Thursday?\nErik: I have to work. Can you do it?\nMona: OK, I'll go.",
        "Mona will take the dog to the vet on Thursday.",
        "Mona",
        "dog",
        "vet",
        "Thursday",
    ),
    _typed(
        "Alex: Let's meet at the station at 5.\n"
        "Chris: Can we make it 5:30? My class ends at 5.\n"
        "Alex: Sure, 5:30 at the station.",
        "Alex and Chris will meet at the station at 5:30.",
        "Alex",
        "Chris",
        "station",
        "5:30",
    ),
    _typed(
        "Julia: I forgot my charger at the office!\n"
        "Sven: No worries, I'm still here. I'll give it to you tonight.\n"
        "Julia: Thanks, you saved me.",
        "Julia left the charger at the office. Sven will bring it tonight.",
        "Julia",
        "charger",
        "office",
        "Sven",
        "tonight",
    ),
    _typed(
        "Fatima: What do you think about a bike for Karim's birthday?\n"
        "Yusuf: Too expensive. Maybe a helmet?\n"
        "Fatima: Good, I'll buy one on Saturday.",
        "Fatima will buy a helmet for Karim's birthday on Saturday.",
        "Fatima",
        "helmet",
        "Karim",
        "Saturday",
    ),
    _typed(
        "Petra: Could you drive me to the hospital at seven?\n"
        "Max: My car is in the garage, but Lukas can.\n"
        "Petra: Great, I'll ask Lukas.",
        "Lukas will drive Petra to the hospital at seven.",
        "Lukas",
        "Petra",
        "hospital",
        "seven",
    ),
)
