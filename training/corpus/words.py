"""The words that dialogues are made of: people, places, things, times, filler. Data only."""


def listed(text: str, separator: str = " ") -> tuple[str, ...]:
    """The words of some lines."""
    return tuple(one.strip() for line in text.splitlines() for one in line.split(separator) if one.strip())


NAMES = listed("""
    Anna Tom Maria Ben Lucy Omar Nina Paul Sara Leo Emma Jack Mia Noah Ella Adam Lily Max Ruth Sam Kate Luke Zoe Ivan
    Clara Hugo Alice Felix Grace Oscar Rosa Peter Julia Henry Laura Simon Eva Daniel Amy Victor Helen Marco Tina George
    Iris Frank Nora Carl Vera Martin Olga Robert Diana Erik Paula Kevin Irene Jonas Linda Bruno Carol Dennis Fiona Gavin
    Hannah Ian Jane Karen Liam Monica Neil Olivia Philip Quinn Rachel Steve Teresa Ursula Walter Yara Amir Bella Cora
    Dev Elif Farid Gina Hana Igor Jin Kofi Lena Mina Nadia Otto Priya Rafael Sofia Tariq Uma Wendy Aaron Abby Agnes
    Aisha Alan Albert Alex Amanda Amelia Andre Andrew Angela Anita Antonio April Arthur Ava Barbara Beth Bill Bob
    Brenda Brian Bridget Caleb Camille Cecilia Chloe Chris Cindy Claire Colin Connor Dana Darius David Dean Deborah
    Dina Dominic Donna Doris Dylan Edgar Edith Edward Eileen Elena Eli Elisa Eliza Emil Emily Eric Esther Ethan Eugene
    Evan Faith Fatima Fernando Finn Flora Florence Fred Freya Gabriel Gary Gemma Gerald Gloria Greg Greta Harold Harry
    Hassan Hazel Heidi Howard Ibrahim Ida Imran Ingrid Isaac Isabel Isla Jacob Jade Jake James Jamie Janet Jason Jasmin
    Jean Jenny Jeremy Jesse Jill Joan Joe Joel John Jordan Jose Joseph Josh Joyce Juan Judith Jules Kai Karim Karl
    Katrin Keith Ken Kim Klara Kyle Lara Larry Lars Lea Leila Leon Leonard Lewis Lia Lina Lisa Logan Lola Lorenzo Louis
    Luca Lucas Luis Luisa Lydia Magda Malik Manuel Marcus Margaret Marie Marina Mario Mark Marta Mary Mateo Matt Maya
    Megan Mehmet Meera Michael Miguel Mike Milan Miles Miriam Mohamed Molly Nancy Naomi Natalie Nathan Nick Nico Nicole
    Niels Nikita Nils Noel Oliver Orla Owen Pablo Pam Patricia Patrick Pedro Penny Petra Phoebe Pia Pierre Rahul Ralph
    Ravi Ray Rebecca Reza Rita Rob Robin Roger Rohan Roman Ron Rory Rose Rowan Roy Ruby Ryan Sabine Sally Samir Sandra
    Sean Selma Seth Shane Sharon Sheila Silvia Sonia Sophie Stan Stefan Stella Sue Susan Suzy Sven Tamara Tania Ted
    Theo Thomas Tim Toby Tony Tracy Trevor Valerie Viola Vincent Violet Will Willa Wyatt Xavier Yasmin Yuki Yusuf Zara
    Mum Dad Grandma Grandpa Mom
    """)
SYLLABLES = listed("""
    ba be bi bo bra chi da de di do dra el en fa fe fi fo ga gi go gra ha he ho in ja jo ka ke ki ko kri la le li lo lu
    ma me mi mo na ne ni no nu pa pe pi po qui ra re ri ro ru sa se sha si so sta ta te ti to tri va ve vi wa we ya yo
    za zi zo
    """)
NAME_ENDINGS = ("n", "s", "l", "r", "", "", "", "th", "m", "ck", "x", "nd", "ll", "ne", "na", "lia", "rik", "do")

PLACES = tuple(
    f"the {place}"
    for place in listed(
        """
    library/station/bakery/park/cinema/gym/office/museum/market/pharmacy/school/pool/bank/post office/airport/clinic
    stadium/harbour/book shop/flower shop/town hall/bus stop/garage/theatre/zoo/hotel/bridge/old mill/supermarket
    hospital/pizza place/Italian restaurant/Thai restaurant/cafe/bar/pub/church/university/beach/lake/playground
    hardware store/butcher/dry cleaner/tailor/shoe shop/bike shop/repair shop/toy shop/wine shop/corner shop/music shop
    tennis club/gallery/castle/farm/campsite/car wash/copy shop/community centre/sports hall/kindergarten/canteen/diner
    train station/shopping centre/ice rink/swimming pool/concert hall/art school/warehouse/print shop/steak house
    """,
        "/",
    )
)
# Places of which a town has many: said with the street.
COMMON_PLACES = (
    "cafe",
    "bakery",
    "bar",
    "pharmacy",
    "restaurant",
    "shop",
    "gym",
    "bank",
    "supermarket",
    "hotel",
    "pub",
)
STREETS = tuple(
    f"{first} {kind}"
    for first, kind in zip(
        listed("""
        Mill King Oak Station High Church Park Garden River Bridge Queen Castle Market Rose Hill Maple Elm Cedar Baker
        Victoria Albert Harbour Lake Forest Spring School North South East West Green Long Abbey Chapel Cherry Willow
        Franklin Lincoln Jefferson Walnut Pine Orchard Meadow Windsor Palace Temple Union Canal Tower Fleet
        """),
        ("Street", "Street", "Lane", "Road", "Street", "Avenue", "Road", "Square", "Street", "Road") * 5,
        strict=True,
    )
)
PROPER_PLACES = ("Café {}", "{}'s", "Bar {}", "the {} Hotel", "{}'s house", "{}'s place", "Hotel {}", "{}'s office")
NUMBERED_PLACES = ("room {}", "gate {}", "platform {}", "building {}")

THINGS = listed(
    """
    cake/keys/parcel/tickets/laptop/bread/flowers/medicine/suit/bike/books/camera/groceries/newspaper/printer paper
    paint/curtains/dog food/guitar/photos/passport/glasses/umbrella/phone charger/jacket/folder/suitcase/chairs
    projector/invitations/milk/eggs/coffee/ladder/tent/violin/shoes/dress/contract/package/letter/cables/speakers
    headphones/map/tools/drill/lamp/table/mirror/carpet/sofa/toaster/kettle/blender/vacuum cleaner/microphone/tripod
    sleeping bag/skis/football/tennis rackets/helmet/toys/pram/car seat/balloons/candles/plates/cups/wine glasses
    cheese/apples/potatoes/tomatoes/rice/butter/sugar/flour/chicken/salmon/ice cream/cat food/batteries/light bulbs
    stamps/envelopes/posters/flyers/badges/documents/certificate/visa/X-ray/prescription/contact lenses/watch
    necklace/ring/costume/uniform/sweater/scarf/curtain rod/bookshelf/monitor/keyboard/tablet/printer/router
    """,
    "/",
)
QUALITIES = listed("""
    red blue green black white yellow old new big small grey brown silver purple orange spare second-hand wooden heavy
    broken cheap pink leather
    """)
FOODS_TO_BUY = (
    "milk", "bread", "eggs", "butter", "coffee", "rice", "two lemons", "some cheese", "some apples", "onions", "tea",
    "a bottle of wine", "potatoes", "toilet paper", "batteries", "stamps", "cat food", "six bananas", "some flowers",
    "a newspaper", "yoghurt", "flour", "a bag of ice", "orange juice", "three pizzas", "sugar", "tomatoes", "honey",
    "washing powder", "toothpaste", "light bulbs", "a birthday card", "candles", "some fish", "chocolate", "olive oil",
)  # fmt: skip
BELONGINGS = (
    "keys", "wallet", "phone", "scarf", "jacket", "umbrella", "laptop", "bag", "glasses", "notebook", "charger", "hat",
    "book", "camera", "watch", "gloves", "backpack", "sweater", "bracelet", "passport", "sunglasses", "headphones",
    "water bottle", "purse", "coat", "ring", "tablet", "lunch box", "earrings", "bike helmet", "gym bag", "diary",
    "swimsuit", "cap", "ticket", "jumper", "briefcase", "phone charger", "house keys", "car keys", "lighter", "pen",
)  # fmt: skip
DISHES = (
    "lasagne", "curry", "soup", "pizza", "tacos", "risotto", "dumplings", "pancakes", "chili", "sushi", "pasta",
    "salad", "stew", "ramen", "paella", "burgers", "fish", "goulash", "couscous", "quiche", "spaghetti", "noodles",
    "roast chicken", "fish and chips", "mushroom soup", "moussaka", "gnocchi", "falafel", "fondue", "ratatouille",
    "a barbecue", "an omelette", "meatballs", "schnitzel", "vegetable pie", "tofu", "a big breakfast", "pumpkin soup",
)  # fmt: skip
DRINKS = (
    "wine", "beer", "lemonade", "juice", "cider", "tea", "dessert", "ice cream", "a salad", "fresh bread", "cheese",
    "fruit", "some cake", "chocolate", "crisps", "olives", "sparkling water", "a board game", "music", "strawberries",
    "cookies", "red wine", "a cheesecake", "nuts", "coffee", "apple pie", "whisky", "flowers", "soft drinks",
    "garlic bread",
)  # fmt: skip
GIFTS = (
    "a book", "a scarf", "a plant", "a watch", "a teapot", "a board game", "a lamp", "a backpack", "a cookbook",
    "a necklace", "a camera", "a puzzle", "a mug", "a painting", "concert tickets", "a gift card", "a bottle of wine",
    "a blanket", "a sweater", "headphones", "a football", "a bike", "perfume", "a chess set", "a vase", "flowers",
    "a telescope", "a suitcase", "a kite", "slippers", "a guitar", "a wallet", "a tent", "a yoga mat", "earrings",
    "a photo album", "a coffee machine", "theatre tickets", "a bracelet", "a clock", "a cushion", "gloves",
)  # fmt: skip
# As the one says it, and as another tells it.
REASONS = (
    ("I have a dentist appointment", "has a dentist appointment"),
    ("I am ill", "is ill"),
    ("I'm sick", "is sick"),
    ("I have to work late", "has to work late"),
    ("I have to work", "has to work"),
    ("my car broke down", "has a broken car"),
    ("my parents are visiting", "has parents visiting"),
    ("I have an exam", "has an exam"),
    ("I missed my train", "missed the train"),
    ("I hurt my knee", "has a hurt knee"),
    ("I have to look after my sister", "has to look after a sister"),
    ("I have a meeting", "has a meeting"),
    ("I have a headache", "has a headache"),
    ("I'm stuck in traffic", "is stuck in traffic"),
    ("I have to study", "has to study"),
    ("I have a cold", "has a cold"),
    ("I'm too tired", "is too tired"),
    ("I have a doctor's appointment", "has a doctor's appointment"),
    ("I have to take the cat to the vet", "has to take the cat to the vet"),
    ("I have visitors", "has visitors"),
    ("I forgot my wallet", "forgot the wallet"),
    ("my flight is delayed", "has a delayed flight"),
    ("I'm out of town", "is out of town"),
    ("I have to fix the roof", "has to fix the roof"),
)
ACTIVITIES = (
    "dinner", "lunch", "the concert", "football practice", "the meeting", "the movie", "the party", "yoga class",
    "the picnic", "the hike", "breakfast", "chess night", "the rehearsal", "the barbecue", "the wedding",
    "band practice",
    "the workshop", "book club", "the lesson", "the game", "the trip", "swimming", "the interview", "the exhibition",
    "choir practice", "the tour", "game night", "the lecture", "dance class", "the training", "the birthday party",
)  # fmt: skip
PASTIMES = (
    "play tennis", "go swimming", "watch a movie", "play chess", "go for a walk", "have lunch", "have dinner",
    "have a coffee", "go running", "play football", "study together", "go dancing", "see the exhibition", "go climbing",
    "play cards", "go shopping", "have breakfast", "go skating", "bake cookies", "watch the match", "go hiking",
    "play basketball", "go bowling", "have a drink", "practise the song", "rehearse the play", "go fishing", "paint",
    "have a picnic", "play video games", "go cycling", "cook together", "go to a concert", "have brunch",
)  # fmt: skip
# A job of work: what one does, to what.
JOBS = tuple(
    f"{verb} {thing}"
    for verbs, things in (
        (("send", "finish", "print", "check", "sign", "translate", "write"),
         ("the report", "the contract", "the invoice", "the slides", "the letter", "the minutes", "the budget")),
        (("book", "cancel", "pay for"), ("the flights", "the hotel", "the train tickets", "the hall", "the van")),
        (("fix", "clean", "paint", "repair"), ("the fence", "the kitchen", "the bike", "the door", "the car")),
        (("water", "look after"), ("the plants", "the garden", "the flowers")),
        (("feed", "walk", "look after"), ("the dog", "the cat", "the neighbours' dog")),
        (("order", "buy"), ("the food", "the drinks", "the paint", "new chairs", "the tickets")),
        (("set up", "install"), ("the printer", "the new laptop", "the projector", "the tent")),
    )
    for verb in verbs
    for thing in things
)  # fmt: skip
APPOINTMENTS = (
    "dentist appointment", "job interview", "doctor's appointment", "driving test", "piano lesson", "haircut", "exam",
    "meeting with the bank", "eye test", "English exam", "swimming lesson", "vet appointment", "guitar lesson",
    "presentation", "yoga class", "parents' evening", "physio appointment", "flight", "court date", "driving lesson",
)  # fmt: skip

HOURS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "noon")
CLOCKS = (
    *(f"{hour}:{minute:02d}" for hour in range(7, 23) for minute in (0, 5, 10, 15, 20, 30, 40, 45, 50)),
    *(f"{hour} {half}" for hour in range(1, 12) for half in ("am", "pm")),
    *(f"{hour}:{minute} {half}" for hour in range(1, 12) for minute in (15, 30, 45) for half in ("am", "pm")),
    *(f"{hour}{half}" for hour in range(1, 12) for half in ("am", "pm")),
    *(f"{hour} o'clock" for hour in HOURS[:11]),
)
PARTED = tuple(f"{part} {hour}" for part in ("half past", "quarter past", "quarter to") for hour in HOURS[:11])
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
PARTS = ("morning", "afternoon", "evening")
MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip

GREETINGS = (
    "Hi", "Hey", "Hello", "Hi there", "Good morning", "Hey you", "Morning", "Good evening", "Hiya", "Hey there", "Yo",
)  # fmt: skip
SMALL_TALK = (
    ("How are you?", "Fine, thanks. A bit tired."),
    ("Did you see the game last night?", "No, I fell asleep."),
    ("What weather!", "Yes, it is raining again."),
    ("Are you at home?", "Not yet, still on the bus."),
    ("Busy day?", "As always."),
    ("How was the weekend?", "Too short!"),
    ("Have you got a minute?", "Sure, what is it?"),
    ("Are you free to talk?", "Yes, go ahead."),
    ("How's it going?", "Not bad. You?"),
    ("Are you there?", "Yes, what's up?"),
    ("Long time no see!", "True, we should talk more often."),
    ("Can I ask you something?", "Of course."),
    ("You OK?", "Yes, just hungry."),
    ("How is work?", "Stressful, but fine."),
    ("Did you sleep well?", "Like a stone."),
    ("I tried to call you.", "Sorry, my phone was off."),
)
# What is said besides: with another person, place and time, none of which matters.
ASIDES = (
    (("By the way, I saw {name} at {place} {past}.", "Really? How nice."),
     ("{name} says hi!", "Say hi back!")),
    (("I was at {place} until {hour} {past}.", "Long day!"),
     ("Did you hear that {name} moved to {town}?", "No, I had no idea.")),
    (("{name} called me {past} at {hour}.", "What about?"),
     ("Have you been to {place} lately?", "Not since {month}.")),
    (("I slept until {hour}.", "Lucky you."),
     ("My bus left at {hour} without me.", "That happens.")),
    (("{name} has a new dog.", "Cute!"),
     ("They are closing {place} in {month}.", "What a shame.")),
)  # fmt: skip
PAST = ("yesterday", "last week", "last night", "on the way home", "this morning", "two days ago")
TOWNS = ("London", "Berlin", "Paris", "Madrid", "Oslo", "Boston", "Dublin", "Vienna", "Lisbon", "Leeds", "Rome", "York")
THANKS = (
    "Thanks!", "Thank you so much!", "Great, thanks.", "You are the best!", "Perfect.", "Wonderful, thank you.",
    "Cool!",
    "Thanks a lot!", "Great!", "Thx!", "Cheers!", "That's very kind.", "Nice.", "OK, great.", "Awesome!",
)  # fmt: skip
CLOSINGS = (
    "See you!", "Bye!", "No problem.", "You're welcome.", "Talk later.", "Any time.", "Take care!", "See you then!",
    "Bye bye.", "Sure!", "See you soon.", "Have a nice day!", ":)", "Don't mention it.",
)  # fmt: skip
YES = (
    "Sure", "Of course", "Yes", "No problem", "OK", "Yes, happy to", "Sure thing", "All right", "Yes, I can", "Will do",
    "Yep", "Sounds good", "Okay", "Fine", "Yeah, sure",
)  # fmt: skip
