"""Support, finance, contracts and data."""

from __future__ import annotations

from app.demo.scenario import Scenario, Tool, Turn

_ORDERS = ("40-11873", "40-12004", "41-00239", "41-00816", "41-02257", "42-00031")
_ITEMS = ("walnut desk", "rain jacket", "espresso grinder", "bicycle trailer", "reading lamp", "hiking boots")

SCENARIOS = (
    Scenario(
        "support",
        "Order {order} has not arrived",
        (
            Turn(
                "Hello, my order {order} was due last {day} and there is still no sign of it. It is a {item}.",
                "I am sorry about the wait. Order {order} with the {item} left our warehouse on time, and the carrier "
                "scanned it in {city} yesterday evening. The new estimate is tomorrow before 18:00.",
                (
                    Tool(
                        "lookup_order",
                        {"orderId": "{order}"},
                        {
                            "status": "IN_TRANSIT",
                            "lastScan": {"place": "{city}", "event": "sorted"},
                            "items": ["{item}"],
                        },
                    ),
                ),
            ),
            Turn(
                "I will not be at home tomorrow. Can they leave it with a neighbour?",
                "Yes. I have added the note 'neighbour may accept' to the delivery. You will get a message with the "
                "name on the bell as soon as it is handed over.",
            ),
            Turn(
                "Perfect. And if it does not come?",
                "Then write here again. After two more working days I can send a new one or return the money, "
                "whichever you prefer; you need not wait for the carrier's investigation.",
                (
                    Tool(
                        "search_help_center",
                        {"query": "lost parcel deadline"},
                        [{"title": "When a parcel is lost", "days": 2}],
                    ),
                ),
            ),
        ),
        {
            "order": _ORDERS,
            "item": _ITEMS,
            "day": ("Tuesday", "Thursday", "Friday"),
            "city": ("Leipzig", "Gent", "Graz", "Turin"),
        },
    ),
    Scenario(
        "support",
        "Refund for a {item}",
        (
            Turn(
                "The {item} from order {order} arrived with a scratch. I would like to keep it if you lower the price.",
                "Thank you for keeping it. For a visible scratch we give 15 percent back, which is {amount} dollars. "
                "Shall I refund that to the card you paid with?",
                (
                    Tool(
                        "lookup_order",
                        {"orderId": "{order}"},
                        {"status": "DELIVERED", "items": ["{item}"], "paidWith": "card"},
                    ),
                ),
            ),
            Turn(
                "Yes please.",
                "Done: {amount} dollars are on their way and reach your account in three to five working days. "
                "The receipt is in your inbox.",
                (
                    Tool(
                        "create_refund",
                        {"orderId": "{order}", "amount": "{amount}", "reason": "scratch"},
                        {"state": "ACCEPTED"},
                    ),
                ),
            ),
        ),
        {"order": _ORDERS, "item": _ITEMS, "amount": ("12.40", "18.75", "33.00", "46.20")},
    ),
    Scenario(
        "finance",
        "Two invoices from {supplier}",
        (
            Turn(
                "We have two invoices from {supplier} for {month}, both over {amount}. Is one a duplicate?",
                "Very likely. Both name purchase order {order} and the same {amount}; the second came nine days later "
                "with a new number but the same service dates. I would hold it and ask the supplier.",
                (
                    Tool(
                        "find_invoice",
                        {"supplier": "{supplier}", "month": "{month}"},
                        [{"number": "R-2291", "order": "{order}"}, {"number": "R-2317", "order": "{order}"}],
                    ),
                ),
            ),
            Turn(
                "Please draft that mail.",
                "Dear colleagues, we received invoices R-2291 and R-2317, both for order {order} and {month}. Could "
                "you confirm that R-2317 repeats the first and send us a cancellation? We pay R-2291 on its due date. "
                "Kind regards",
            ),
            Turn(
                "Sent. Leave a note on the second one so that nobody pays it.",
                "The note is on R-2317: 'Possible duplicate of R-2291, supplier asked, do not pay.'",
                (Tool("post_note", {"invoice": "R-2317", "text": "Possible duplicate of R-2291"}, {"ok": True}),),
            ),
        ),
        {
            "supplier": ("Brandt Packaging", "Luma Cleaning", "Kestner Elevators", "Vida Catering"),
            "month": ("August", "September", "October"),
            "amount": ("1,240.00", "3,899.50", "612.75"),
            "order": ("PO-7719", "PO-7803", "PO-7856"),
        },
    ),
    Scenario(
        "finance",
        "Why is {line} over budget?",
        (
            Turn(
                "{line} is {percent} percent over budget this quarter. What happened?",
                "Two things make up nearly all of it. A yearly fee was booked in one month instead of being spread, "
                "and the volume grew after the new site opened. Without the fee the line is 3 percent over.",
                (
                    Tool(
                        "get_budget",
                        {"line": "{line}", "period": "quarter"},
                        {"overPercent": "{percent}", "oneOff": 0.7},
                    ),
                ),
            ),
            Turn(
                "Can I put that into one sentence for the board?",
                "'{line} exceeds its budget by {percent} percent, because a yearly fee fell into this quarter; spread "
                "over the year, the line is within 3 percent of plan.'",
            ),
        ),
        {
            "line": ("Cloud hosting", "Training", "Freight", "Software licences"),
            "percent": ("11", "18", "24", "37"),
        },
    ),
    Scenario(
        "contracts",
        "Unusual clauses in the {kind}",
        (
            Turn(
                "Here is the {kind} with {party}. Which clauses should I ask our lawyer about?",
                "Three stand out. Clause 7.2 renews for {years} years unless you give notice six months before. "
                "Clause 9 limits their liability to one month's fee. Clause 14 lets {party} change prices with 30 "
                "days' notice. The rest is common.",
                (
                    Tool(
                        "read_document",
                        {"name": "{kind}"},
                        {"pages": 18, "flagged": ["7.2 renewal", "9 liability", "14 prices"]},
                    ),
                ),
            ),
            Turn(
                "How unusual is clause 9 really?",
                "Caps are normal, but most agreements of this kind cap at the fees of twelve months. One month is "
                "low, above all as clause 11 has you insure the goods yourself. This is no legal advice; it is a "
                "question worth asking.",
                (
                    Tool(
                        "compare_clauses", {"clause": "9", "against": "similar"}, {"median": "12 months", "sample": 41}
                    ),
                ),
            ),
            Turn(
                "Write the questions down for her.",
                "1. Can we shorten the renewal in 7.2 to one year? 2. Can the cap in 9 be twelve months' fees? 3. Can "
                "we leave without penalty if prices under 14 rise by more than 5 percent?",
            ),
        ),
        {
            "kind": ("warehouse lease", "hosting agreement", "maintenance contract", "distribution agreement"),
            "party": ("Holt & Sons", "Meridian Hosting", "Alder Facilities"),
            "years": ("two", "three", "five"),
        },
    ),
    Scenario(
        "contracts",
        "What does '{term}' mean here?",
        (
            Turn(
                "The supplier's draft says '{term}' in clause 5. What does that mean for us in practice?",
                "In this draft '{term}' covers more than usual: it also names shortages at sub-suppliers. So a late "
                "part from their own vendor would excuse them, and you would still have to accept the delivery later.",
                (Tool("read_document", {"name": "supplier draft", "clause": "5"}, {"term": "{term}", "length": 214}),),
            ),
            Turn(
                "What would a fairer wording be?",
                "You could propose: 'events outside the party's control and that of its sub-suppliers, which it could "
                "not have foreseen', plus a right to leave after 60 days. Have the lawyer check the final words.",
            ),
        ),
        {"term": ("force majeure", "best efforts", "acceptance by silence", "hardship")},
    ),
    Scenario(
        "data",
        "{metric} by {dimension}",
        (
            Turn(
                "Can you show me {metric} by {dimension} for the last quarter?",
                "Here it is. The largest group makes up 41 percent, the next two 22 and 17 percent together with a "
                "long tail. Note that rows without a {dimension} (about 2 percent) are counted as 'unknown'.",
                (
                    Tool(
                        "describe_table",
                        {"table": "fact_orders"},
                        {"columns": ["ordered_at", "amount", "region", "channel", "customer_id"]},
                    ),
                    Tool(
                        "run_sql",
                        {"sql": "SELECT {column}, sum(amount) FROM fact_orders WHERE ordered_at >= $1 GROUP BY 1"},
                        {"rows": 9, "elapsedMs": 412},
                    ),
                ),
            ),
            Turn(
                "Compared with the quarter before?",
                "Overall plus 6.4 percent. The order of the groups is the same; the third one grew fastest, from 14 "
                "to 17 percent of the total. With 9 groups I would not read much into the smallest three.",
                (
                    Tool(
                        "run_sql",
                        {"sql": "SELECT {column}, sum(amount) FROM fact_orders GROUP BY 1"},
                        {"rows": 9, "elapsedMs": 655},
                    ),
                ),
            ),
            Turn(
                "Make a chart of that for the Monday meeting.",
                "Attached: grouped bars, this quarter beside the last, sorted by size, 'unknown' left out with a "
                "footnote.",
                (
                    Tool(
                        "render_chart",
                        {"kind": "bar", "title": "{metric} by {dimension}"},
                        {"file": "chart.svg", "bytes": 18322},
                    ),
                ),
            ),
        ),
        {
            "metric": ("Revenue", "Returned orders", "New customers", "Average basket"),
            "dimension,column": (
                ("region", "region"),
                ("channel", "channel"),
                ("weekday", "extract(dow FROM ordered_at)"),
            ),
        },
    ),
    Scenario(
        "data",
        "Churn among {segment}",
        (
            Turn(
                "Did churn among {segment} really double in {month}?",
                "No. It went from 1.9 to 2.6 percent. The dashboard divides by customers active on the first of the "
                "month, and {month} began on a holiday, so the base was too small.",
                (
                    Tool(
                        "run_sql",
                        {"sql": "SELECT count(*) FILTER (WHERE left_at IS NOT NULL) FROM customers WHERE segment = $1"},
                        {"rows": 1},
                    ),
                ),
            ),
            Turn(
                "So what should the dashboard use?",
                "The average of the daily actives over the month. With that the last six months are 2.0, 1.8, 2.1, "
                "1.9, 1.9 and 2.6 percent: a rise worth watching, no doubling.",
            ),
        ),
        {
            "segment": ("small teams", "trial accounts", "yearly subscribers"),
            "month": ("September", "October", "August"),
        },
    ),
)
