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

# What the model embedded in this project was trained for.
DIALOGUES = (
    (
        "Bread from the bakery",
        "summarize: Anna: Can you get bread from the bakery?\nTom: Sure, when?\nAnna: Before six, please.\n"
        "Tom: I will go at five.",
    ),
)
