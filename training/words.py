"""The words that dialogues are made of: people, places, things, times. Data only."""

# fmt: off

NAMES = (
    "Anna", "Tom", "Maria", "Ben", "Lucy", "Omar", "Nina", "Paul", "Sara", "Leo", "Emma", "Jack", "Mia", "Noah",
    "Ella", "Adam", "Lily", "Max", "Ruth", "Sam", "Kate", "Luke", "Zoe", "Ivan", "Clara", "Hugo", "Alice", "Felix",
    "Grace", "Oscar", "Rosa", "Peter", "Julia", "Henry", "Laura", "Simon", "Eva", "Daniel", "Amy", "Victor",
    "Helen", "Marco", "Tina", "George", "Iris", "Frank", "Nora", "Carl", "Vera", "Martin", "Olga", "Robert",
    "Diana", "Erik", "Paula", "Kevin", "Irene", "Jonas", "Linda", "Bruno", "Carol", "Dennis", "Fiona", "Gavin",
    "Hannah", "Ian", "Jane", "Karen", "Liam", "Monica", "Neil", "Olivia", "Philip", "Quinn", "Rachel", "Steve",
    "Teresa", "Ursula", "Walter", "Yara", "Amir", "Bella", "Cora", "Dev", "Elif", "Farid", "Gina", "Hana", "Igor",
    "Jin", "Kofi", "Lena", "Mina", "Nadia", "Otto", "Priya", "Rafael", "Sofia", "Tariq", "Uma", "Wendy",
)

PLACES = (
    "the library",
    "the station",
    "the bakery",
    "the park",
    "the cinema",
    "the gym",
    "the office",
    "the museum",
    "the market",
    "the pharmacy",
    "the school",
    "the pool",
    "the bank",
    "the post office",
    "the airport",
    "the clinic",
    "the stadium",
    "the harbour",
    "the book shop",
    "the flower shop",
    "the town hall",
    "the bus stop",
    "the garage",
    "the theatre",
    "the zoo",
    "the hotel",
    "the bridge",
    "the old mill",
    "the supermarket",
    "the hospital",
    "the cafe on Mill Street",
    "the cafe on King Street",
    "the bar on Oak Lane",
    "the pizza place",
    "the Italian restaurant",
    "the Thai restaurant",
)

# What one fetches, with where it is naturally fetched left to chance: the model must read, not guess.
THINGS = (
    "the cake",
    "the keys",
    "the parcel",
    "the tickets",
    "the laptop",
    "the bread",
    "the flowers",
    "the medicine",
    "the suit",
    "the bike",
    "the books",
    "the camera",
    "the groceries",
    "the newspaper",
    "the printer paper",
    "the paint",
    "the curtains",
    "the dog food",
    "the guitar",
    "the photos",
    "the passport",
    "the glasses",
    "the umbrella",
    "the phone charger",
    "the red jacket",
    "the blue folder",
    "the suitcase",
    "the chairs",
    "the projector",
    "the invitations",
    "the milk",
    "the eggs",
    "the coffee",
    "the ladder",
    "the tent",
    "the violin",
)

BELONGINGS = (
    "keys", "wallet", "phone", "scarf", "jacket", "umbrella", "laptop", "bag", "glasses", "notebook", "charger",
    "hat", "book", "camera", "watch", "gloves", "backpack", "sweater", "bracelet", "passport",
)

DISHES = (
    "lasagne", "curry", "soup", "pizza", "tacos", "risotto", "dumplings", "pancakes", "chili", "sushi", "pasta",
    "salad", "stew", "ramen", "paella", "burgers", "fish", "goulash", "couscous", "quiche",
)

DRINKS = (
    "wine",
    "beer",
    "lemonade",
    "juice",
    "cider",
    "tea",
    "dessert",
    "ice cream",
    "a salad",
    "fresh bread",
    "cheese",
    "fruit",
)

GIFTS = (
    "a book",
    "a scarf",
    "a plant",
    "a watch",
    "a teapot",
    "a board game",
    "a lamp",
    "a backpack",
    "a cookbook",
    "a necklace",
    "a camera",
    "a puzzle",
    "a mug",
    "a painting",
    "concert tickets",
    "a gift card",
    "a bottle of wine",
    "a blanket",
)

REASONS = (
    ("I have a dentist appointment", "has a dentist appointment"),
    ("I am ill", "is ill"),
    ("I have to work late", "has to work late"),
    ("my car broke down", "has a broken car"),
    ("my parents are visiting", "has parents visiting"),
    ("I have an exam", "has an exam"),
    ("I missed my train", "missed the train"),
    ("I hurt my knee", "has a hurt knee"),
    ("I have to look after my sister", "has to look after a sister"),
    ("I have a meeting", "has a meeting"),
)

ACTIVITIES = (
    "dinner",
    "lunch",
    "the concert",
    "football practice",
    "the meeting",
    "the movie",
    "the party",
    "yoga class",
    "the picnic",
    "the hike",
    "breakfast",
    "chess night",
    "the rehearsal",
    "the barbecue",
)

HOURS = (
    "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "noon",
)
HALVES = tuple(f"half past {hour}" for hour in HOURS[:11])
CLOCKS = tuple(f"{hour}:{minute:02d}" for hour in range(7, 22) for minute in (0, 15, 30, 45))
DAYS = (
    "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday",
)

GREETINGS = ("Hi", "Hey", "Hello", "Hi there", "Good morning", "Hey you", "Morning")
SMALL_TALK = (
    ("How are you?", "Fine, thanks. A bit tired."),
    ("Did you see the game last night?", "No, I fell asleep."),
    ("What weather!", "Yes, it is raining again."),
    ("Are you at home?", "Not yet, still on the bus."),
    ("Busy day?", "As always."),
    ("How was the weekend?", "Too short!"),
    ("Have you got a minute?", "Sure, what is it?"),
    ("Are you free to talk?", "Yes, go ahead."),
)
THANKS = ("Thanks!", "Thank you so much!", "Great, thanks.", "You are the best!", "Perfect.", "Wonderful, thank you.")
CLOSINGS = ("See you!", "Bye!", "No problem.", "You're welcome.", "Talk later.", "Any time.", "Take care!")
YES = ("Sure", "Of course", "Yes", "No problem", "OK", "Yes, happy to", "Sure thing", "All right")
