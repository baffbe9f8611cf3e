"""Code, incidents and research."""

from __future__ import annotations

from app.demo.scenario import Scenario, Tool, Turn

SCENARIOS = (
    Scenario(
        "code",
        "Review: {change}",
        (
            Turn(
                "Could you look at my branch? It is about {change} in {file}.",
                "Two remarks. The new branch in `{function}` is not covered by a test, and the lock is taken before "
                "the input is validated, so a bad request blocks the others. The rest reads well.",
                (
                    Tool("read_file", {"path": "{file}"}, {"lines": 214, "language": "python"}),
                    Tool("run_tests", {"path": "tests/"}, {"passed": 318, "failed": 0, "seconds": 41.7}),
                ),
            ),
            Turn(
                "Good catch with the lock. Can you write the test?",
                "```python\nasync def test_bad_input_takes_no_lock(service):\n    with pytest.raises(InvalidInput):\n "
                "       await service.{function}(None)\n    assert not service.lock.locked()\n```\nIt fails on your "
                "branch and passes once the check moves up.",
                (Tool("run_tests", {"path": "tests/test_lock.py"}, {"passed": 0, "failed": 1, "seconds": 0.9}),),
            ),
            Turn(
                "Moved it, the test passes now. Anything else before I merge?",
                "One line in the changelog, as callers now see `InvalidInput` instead of a timeout. Then it is ready "
                "from my side.",
            ),
        ),
        {
            "change": ("retrying uploads", "caching price look-ups", "the new date parser", "batching notifications"),
            "file,function": (
                ("services/uploads.py", "retry_upload"),
                ("services/prices.py", "price_for"),
                ("core/dates.py", "parse_date"),
                ("jobs/notify.py", "send_batch"),
            ),
        },
    ),
    Scenario(
        "code",
        "What does `{symbol}` do?",
        (
            Turn(
                "I inherited this module. What does `{symbol}` do, and may I delete it?",
                "It keeps the last {number} results so that a page that is reloaded does not ask the database again. "
                "There are two callers, one of them in a script that has not changed for three years.",
                (
                    Tool(
                        "search_code",
                        {"symbol": "{symbol}"},
                        {"callers": ["web/pages.py:88", "scripts/backfill.py:12"]},
                    ),
                ),
            ),
            Turn(
                "And is the cache ever wrong?",
                "Yes: it ignores the user, so after a change of role a reload can show the old page for up to a "
                "minute. If you delete it, the page costs one more query of about 4 ms. I would delete it.",
            ),
        ),
        {"symbol": ("memo_ring", "LastSeen", "page_buffer", "recent_results"), "number": ("16", "50", "128")},
    ),
    Scenario(
        "incident",
        "{service}: {symptom}",
        (
            Turn(
                "We were paged: {service} shows {symptom} since {time}. Where do I start?",
                "The error rate rose at {time}, two minutes after a deploy in {region}; traffic is normal. I am "
                "fairly sure (80 percent) that the deploy is the cause. Reversible first step: roll {region} back.",
                (
                    Tool(
                        "query_metrics",
                        {"service": "{service}", "metric": "error_rate", "window": "30m"},
                        {"before": 0.002, "now": 0.087},
                    ),
                    Tool(
                        "search_logs",
                        {"service": "{service}", "level": "error"},
                        {"matches": 1841, "top": "connection pool exhausted"},
                    ),
                ),
            ),
            Turn(
                "Rolled back. Errors are falling.",
                "Confirmed: 8.7 percent down to 0.4 within four minutes. Keep the rollback; do not deploy again "
                "tonight. Shall I write the timeline?",
                (
                    Tool(
                        "query_metrics",
                        {"service": "{service}", "metric": "error_rate", "window": "10m"},
                        {"now": 0.004},
                    ),
                ),
            ),
            Turn(
                "Please do, and keep it short.",
                "{time} errors rise after the deploy in {region}. +6 min: paged. +11 min: rolled back. +15 min: "
                "normal. Cause: the release opened a connection for each request. Open: why did the canary not stop "
                "it?",
            ),
        ),
        {
            "service": ("checkout-api", "label-printer", "timetable", "patient-portal"),
            "symptom": ("500s on every tenth request", "slow responses", "a growing queue"),
            "time": ("02:14", "11:47", "18:05", "23:31"),
            "region": ("eu-west", "us-east", "ap-south"),
        },
    ),
    Scenario(
        "incident",
        "Disk filling up on {host}",
        (
            Turn(
                "{host} is at {percent} percent disk and climbing. What is safe to remove?",
                "Old log archives: 61 GB in /var/log/archive, all copied to cold storage last night. That brings you "
                "below 60 percent. Do not touch the write-ahead log, although it looks large.",
                (
                    Tool(
                        "query_metrics",
                        {"host": "{host}", "metric": "disk_used"},
                        {"percent": "{percent}", "perHour": 1.3},
                    ),
                ),
            ),
            Turn(
                "Removed. Why did it grow so fast?",
                "A replica has been away since Saturday, and the primary keeps its log for it. If the replica does "
                "not come back by tomorrow noon, drop its slot; I can page the database team now.",
                (Tool("page_team", {"team": "databases", "urgency": "low"}, {"acknowledged": True}),),
            ),
        ),
        {"host": ("db-03", "files-01", "metrics-02"), "percent": ("88", "91", "94")},
    ),
    Scenario(
        "research",
        "Evidence on {topic}",
        (
            Turn(
                "What does research say on {topic}? I need it for a one-page memo.",
                "In short: a small but steady benefit. Of 14 studies since 2015, nine find an effect, four find none, "
                "one finds harm in a small group. Most ran for less than a year, so the long run is open.",
                (
                    Tool("search_papers", {"query": "{topic}", "since": 2015}, {"found": 212, "relevant": 14}),
                    Tool("fetch_page", {"rank": 1}, {"kind": "review", "pages": 31}),
                ),
            ),
            Turn(
                "How large is 'small'?",
                "About 4 to 7 percent in the better studies (those that compared groups chosen by lot), against 10 to "
                "15 percent in the weaker ones. I would quote the lower range.",
            ),
            Turn(
                "What is not covered?",
                "Part-time staff, night shifts, and places outside of Europe and North America. If your memo is about "
                "one of those, say that the evidence does not reach that far.",
            ),
        ),
        {
            "topic": (
                "four-day weeks",
                "standing desks",
                "open-plan offices",
                "daylight in hospital wards",
                "reminders by text message",
            )
        },
    ),
    Scenario(
        "research",
        "Compare {first} and {second}",
        (
            Turn(
                "We have to choose between {first} and {second} for a depot of 40 vehicles. What do independent "
                "sources say?",
                "They agree on three points: {first} costs less to buy, {second} costs less to run, and the "
                "break-even lies between four and seven years. They differ on resale values; there is little data yet.",
                (
                    Tool(
                        "search_papers",
                        {"query": "{first} versus {second}", "kind": "report"},
                        {"found": 37, "independent": 6},
                    ),
                ),
            ),
            Turn(
                "Which of the six would you trust most?",
                "The one by the transport institute: it measured real depots for three years and publishes its data. "
                "Two of the others were paid for by makers, and say so on the last page.",
                (
                    Tool(
                        "fetch_page",
                        {"rank": 2},
                        {"publisher": "transport institute", "years": 3, "dataPublished": True},
                    ),
                ),
            ),
        ),
        {
            "first,second": (
                ("diesel vans", "electric vans"),
                ("lead batteries", "lithium batteries"),
                ("gas heating", "heat pumps"),
            )
        },
    ),
)
