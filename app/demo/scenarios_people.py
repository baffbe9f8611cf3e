"""Writing, travel, people, cooking and languages."""

from __future__ import annotations

from app.demo.scenario import Scenario, Tool, Turn

SCENARIOS = (
    Scenario(
        "writing",
        "Shorter {text}",
        (
            Turn(
                "This {text} is 600 words and nobody will read it. Can you bring it to 200? It is about {subject}.",
                "Here is a version with 190 words. I moved the decision to the first line, cut the history, and kept "
                "your two examples. The third paragraph repeated the first, so it is gone.",
                (Tool("check_style_guide", {"kind": "{text}"}, {"issues": 3, "readingGrade": 9}),),
            ),
            Turn(
                "Better. The beginning sounds a bit cold now.",
                "True. How about: 'Thank you all for the work on {subject}; it paid off. Here is what we decided, and "
                "what changes on Monday.' It costs twelve words and sets the tone.",
            ),
            Turn(
                "I like it. Any word you would still cut?",
                "'Very', twice, and 'in order to' once. After that I would stop: it sounds like you.",
            ),
        ),
        {
            "text": ("newsletter", "project update", "announcement", "speech"),
            "subject": ("the office move", "the new booking system", "our winter timetable", "the merger of two teams"),
        },
    ),
    Scenario(
        "writing",
        "Reply to a {mood} {person}",
        (
            Turn(
                "A {person} wrote a {mood} review. Help me answer in public without sounding like a form letter.",
                "Start with the fact they are right about, say what you changed, and offer one concrete thing. For "
                "example: 'You waited 40 minutes, and nobody told you why. That is on us; since Monday a second "
                "colleague is at the desk.'",
            ),
            Turn(
                "Should I offer money?",
                "Not in public. Write 'I would like to make up for it; please reply to the mail I have just sent you.' "
                "Then decide in private.",
            ),
        ),
        {
            "mood": ("disappointed", "furious", "sarcastic"),
            "person": ("guest", "patient", "long-time customer", "neighbour"),
        },
    ),
    Scenario(
        "travel",
        "{days} days in {city}",
        (
            Turn(
                "I have to be in {city} for {days} days, arriving on a Monday. What is the simplest way?",
                "There is a direct train at 07:34 that arrives at 11:52; below five hours, so within the policy. "
                "Coming back, the 16:05 still has seats in the quiet coach.",
                (
                    Tool("get_policy", {"topic": "rail"}, {"maxHours": 5, "class": "second"}),
                    Tool(
                        "search_trains",
                        {"to": "{city}", "day": "Monday"},
                        [{"departs": "07:34", "arrives": "11:52", "changes": 0}],
                    ),
                ),
            ),
            Turn(
                "Good. A hotel near {place}, please, nothing fancy.",
                "Two fit the limit of 140 dollars: a small one six minutes from {place} with breakfast for 118, and a "
                "larger one next door for 131 that can be cancelled until the day before. With your dates I would "
                "take the second.",
                (
                    Tool(
                        "search_hotels",
                        {"city": "{city}", "near": "{place}", "max": 140},
                        {"found": 14, "withinLimit": 2},
                    ),
                ),
            ),
            Turn(
                "Take the second one. Anything I should know about the city?",
                "From {place} the tram is quicker than a taxi at rush hour. And the station's lockers are closed for "
                "repair, so leave your bag at the hotel on the last day.",
            ),
        ),
        {
            "days": ("two", "three", "four"),
            "city,place": (
                ("Porto", "the Bolhão market"),
                ("Gdańsk", "the shipyard"),
                ("Basel", "the fair grounds"),
                ("Lyon", "Part-Dieu"),
                ("Ghent", "the university library"),
            ),
        },
    ),
    Scenario(
        "travel",
        "My {vehicle} was cancelled",
        (
            Turn(
                "My {vehicle} to {city} tonight was cancelled. I must be there at nine tomorrow morning.",
                "You can still make it: the 19:48 with one change arrives at 00:17, or the first connection tomorrow "
                "arrives at 08:31, which leaves no margin. I suggest tonight, and a room near the station.",
                (
                    Tool(
                        "search_trains",
                        {"to": "{city}", "after": "19:00"},
                        [{"departs": "19:48", "arrives": "00:17", "changes": 1}],
                    ),
                ),
            ),
            Turn(
                "Tonight, then. Does the company pay for the room?",
                "Yes. The policy covers a night when a delay is not your fault, up to 140 dollars. Keep the notice of "
                "the cancellation for the expense report.",
                (Tool("get_policy", {"topic": "disruption"}, {"hotel": True, "limit": 140}),),
            ),
        ),
        {"vehicle": ("flight", "train", "ferry"), "city": ("Aarhus", "Trieste", "Rotterdam", "Kraków")},
    ),
    Scenario(
        "people",
        "Leave around {occasion}",
        (
            Turn(
                "How many days of leave do I have left, and can I take a week around {occasion}?",
                "You have {balance} days left this year, so a week is fine. Your team asks for notice of four weeks, "
                "and one colleague is already away then, so ask soon.",
                (Tool("get_leave_balance", {"year": 2026}, {"days": "{balance}", "carriedOver": 2}),),
            ),
            Turn(
                "Do unused days move to next year?",
                "Up to five days do, until the end of March (handbook, 'Leave', section 3). The rest lapses, unless "
                "you were ill.",
                (Tool("search_handbook", {"query": "carry over leave"}, [{"page": "Leave", "section": 3}]),),
            ),
        ),
        {
            "occasion": ("New Year", "the school holidays", "my sister's wedding", "the long weekend"),
            "balance": ("7", "9", "12.5", "18"),
        },
    ),
    Scenario(
        "people",
        "New {device} for a colleague",
        (
            Turn(
                "Someone starts in my team in two weeks. How do I order a {device}?",
                "Through the equipment form, at least ten working days ahead, so today is a good day. You need the "
                "start date, the place of work and a cost centre.",
                (Tool("search_handbook", {"query": "order {device}"}, [{"page": "Equipment", "section": 1}]),),
            ),
            Turn(
                "She works from home. Who pays for the desk?",
                "The company lends one (handbook, 'Working from home'): tick 'home' in the form and choose desk and "
                "chair. They are delivered together with the {device}.",
            ),
            Turn(
                "And who sets up her accounts?",
                "The service desk does, as soon as the contract is signed. You get a checklist on the day before; the "
                "only thing that you have to do yourself is adding her to your team's calendar.",
            ),
        ),
        {"device": ("laptop", "standing desk", "headset", "second screen")},
    ),
    Scenario(
        "cooking",
        "Menu for {guests} guests, {diet}",
        (
            Turn(
                "I need a three-course menu for {guests} guests, {diet}, autumn, not too fiddly.",
                "Allergens first: celery in the soup, nuts in the dessert, both easy to leave out. Starter: roasted "
                "squash soup. Main: {main}. Dessert: poached pears with hazelnut crumble.",
                (Tool("search_recipes", {"diet": "{diet}", "season": "autumn"}, {"found": 23}),),
            ),
            Turn(
                "Sounds good. What do I buy for the main?",
                "For {guests} guests: 180 g of the main vegetable each, 70 g of grain each, and herbs. You have "
                "enough oil and stock; onions run low.",
                (
                    Tool(
                        "check_stock",
                        {"items": ["oil", "stock", "onions"]},
                        {"oil": "ok", "stock": "ok", "onions": "low"},
                    ),
                ),
            ),
            Turn(
                "Can I cook something the day before?",
                "Soup and pears, yes; both get better. Make the crumble in the morning and warm it with the door "
                "ajar. The main wants to be fresh, and takes 35 minutes.",
            ),
        ),
        {
            "guests": ("12", "24", "40", "65"),
            "diet,main": (
                ("vegan", "barley risotto with mushrooms and thyme"),
                ("gluten-free", "celeriac steak with polenta"),
                ("vegetarian", "leek tart with blue cheese"),
            ),
        },
    ),
    Scenario(
        "cooking",
        "Why is my {dish} {problem}?",
        (
            Turn(
                "My {dish} came out {problem} again. I followed the recipe to the gram.",
                "With {dish} that is mostly heat or time, not weights. Two questions: do you let it rest, and is the "
                "oven really at the temperature it shows? Ovens are often off by 20 degrees.",
            ),
            Turn(
                "No rest at all, to be honest.",
                "Then start there: 30 minutes under a cloth changes more than any ingredient. If it is still "
                "{problem}, lower the heat by 15 degrees and give it 10 minutes longer.",
            ),
        ),
        {
            "dish": ("focaccia", "sponge cake", "shortcrust", "roast cauliflower"),
            "problem": ("dry", "tough", "soggy in the middle"),
        },
    ),
    Scenario(
        "languages",
        "'{phrase}' in {language}",
        (
            Turn(
                "How do I say '{phrase}' in {language}, in a mail to a customer I have never met?",
                "Use the polite form, and put the request at the end of the sentence. I added the version for a "
                "colleague below, so that you see the difference: only the verb and the greeting change.",
                (Tool("search_glossary", {"phrase": "{phrase}", "language": "{language}"}, {"entries": 2}),),
            ),
            Turn(
                "Why does the verb change?",
                "{language} marks politeness on the verb; English does it with 'could' and 'would'. Translate the "
                "politeness, not the words.",
            ),
            Turn(
                "Can I use the same sentence on the phone?",
                "Yes, a little shorter. On the phone you would also say your name and company first, and wait for an "
                "answer.",
            ),
        ),
        {
            "phrase": (
                "please let me know by Friday",
                "we would be glad to help",
                "could you send it again",
                "thanks in advance",
            ),
            "language": ("German", "Japanese", "Polish", "French"),
        },
    ),
    Scenario(
        "languages",
        "Translate the {document}",
        (
            Turn(
                "Please translate our {document} into {language}; it should sound friendly, not like a manual.",
                "Done. I kept product names in English, used the informal address as your glossary asks, and split "
                "two long sentences. One idiom had no twin, so I used a plain phrase; it is marked.",
                (
                    Tool(
                        "search_glossary",
                        {"language": "{language}", "topic": "tone"},
                        {"address": "informal", "entries": 18},
                    ),
                ),
            ),
            Turn(
                "Read the marked one back to me in English?",
                "'So that nothing goes wrong on the way.' The original said 'to be on the safe side', which in "
                "{language} would sound as if there were a danger.",
            ),
        ),
        {
            "document": ("welcome mail", "return policy", "allergy notice", "safety card"),
            "language": ("Dutch", "Spanish", "Czech", "Turkish"),
        },
    ),
)
