"""The prompts that the page offers, as (label, prompt). Data only."""

from __future__ import annotations

# Of the first Flan-T5 XXL demo, word for word.
FLAN = (
    ("Ballon d'Or", "Please answer to the following question. Who is going to be the next Ballon d'or?"),
    (
        "Obama and Washington",
        "Q: Can Barack Obama have a conversation with George Washington? Give the rationale before answering.",
    ),
    (
        "Summarize a story",
        "Summarize the following text: Peter and Elizabeth took a taxi to attend the night party in the city. While in "
        "the party, Elizabeth collapsed and was rushed to the hospital. Since she was diagnosed with a brain injury, "
        "the doctor told Peter to stay besides her until she gets well. Therefore, Peter stayed with her at the "
        "hospital for 3 days without leaving.",
    ),
    ("Boiling point", "Please answer the following question: What is the boiling point of water?"),
    ("Pokemons", "Answer the following question by detailing your reasoning: Are Pokemons alive?"),
    ("Translate to German", "Translate to German: How old are you?"),
    ("A recipe", "Generate a cooking recipe to make bolognese pasta:"),
    (
        "A haiku in a tweet",
        "Answer the following yes/no question by reasoning step-by-step. Can you write a whole Haiku in a single "
        "tweet?",
    ),
    (
        "Premise and hypothesis",
        "Premise:  At my age you will probably have learnt one lesson. Hypothesis:  It's not certain how many lessons "
        "you'll learn by your thirties. Does the premise entail the hypothesis?",
    ),
    (
        "Apples",
        "Answer the following question by reasoning step by step. The cafeteria had 23 apples. If they used 20 for "
        "lunch and bought 6 more, how many apples do they have?",
    ),
    (
        "Golf balls, two-shot",
        "Q: Roger has 5 tennis balls. He buys 2 more cans of tennis balls. Each can has 3 tennis balls. How many "
        "tennis balls does he have now?\n"
        "A: Roger started with 5 balls. 2 cans of 3 tennis balls each is 6 tennis balls. 5 + 6 = 11. The answer is "
        "11.\n"
        "Q: A juggler can juggle 16 balls. Half of the balls are golf balls, and half of the golf balls are blue. How "
        "many blue golf balls are there?",
    ),
)

# What the model embedded in this project was trained for, between people it was not trained on.
DIALOGUES = (
    (
        "A change of mind",
        "summarize: Anna: Morning Uma! I left my bracelet at the market!\n"
        "Uma: I found it. I will bring it tomorrow at three.\n"
        "Anna: Sorry, on Saturday at 15:30 is better.\n"
        "Uma: Fine, on Saturday at 15:30.",
    ),
    (
        "Somebody else will go",
        "summarize: Mina: Hi Rafael! How are you?\n"
        "Rafael: Fine, thanks. A bit tired.\n"
        "Mina: Can you pick up the newspaper from the station at 19:30?\n"
        "Rafael: Sorry, no. Erik is near there and will go.\n"
        "Mina: OK, please ask Erik.\n"
        "Mina: Thank you so much!",
    ),
    (
        "Another place",
        "summarize: Clara: Shall we meet at the museum on Friday at 7:45?\n"
        "Martin: The museum is closed. The town hall?\n"
        "Clara: Good idea.\n"
        "Martin: See you then!",
    ),
    (
        "Who brings what",
        "summarize: Carol: Morning Sara! I am cooking pasta at half past eight. Will you come?\n"
        "Sara: Yes! I'll bring tea.\n"
        "Carol: Rather ice cream, please.\n"
        "Sara: OK!\n"
        "Carol: Wonderful, thank you.\n"
        "Sara: Take care!",
    ),
    (
        "A ride from the station",
        "summarize: Yara: Hello! I arrive at the station tomorrow at 16:45.\n"
        "Vera: I have to work, but Zoe will pick you up.\n"
        "Yara: Actually, can we make it on Saturday at 9:00?\n"
        "Vera: OK, on Saturday at 9:00 then.\n"
        "Yara: Perfect.",
    ),
    (
        "Why not, and when instead",
        "summarize: Lena: Sorry, my car broke down, so I can't make the rehearsal.\n"
        "Nadia: Oh no!\n"
        "Nadia: What about at 18:00?\n"
        "Lena: That would be great.",
    ),
)
