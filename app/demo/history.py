"""Rows of threads, messages, runs, tool calls and feedback."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import Any

from app.demo.agents import ERRORS, AgentProfile
from app.demo.clock import UNTIL, moment, uuid7
from app.demo.conversations import SCENARIOS
from app.demo.organisations import Row, Tables
from app.demo.people import COMMENTS
from app.demo.scenario import Tool, Turn, fill
from app.pricing import PRICES

THREADS = 720
PENDING = 5
"""The number of last threads that still wait for an answer."""


class History:
    """Write conversations into `tables`, one thread after the other."""

    def __init__(self, rng: random.Random, before: Tables, profiles: dict[Any, AgentProfile]) -> None:
        self._rng = rng
        self._profiles = profiles
        self._agents = [agent for agent in before["agents"] if agent["status"] != "DRAFT"]
        # A few agents are popular, most are not.
        self._popularity = [1 / (1 + rank) ** 0.6 for rank in range(len(self._agents))]
        rng.shuffle(self._agents)
        self._members: dict[Any, list[Any]] = {}
        for membership in before["memberships"]:
            self._members.setdefault(membership["team_id"], []).append(membership["user_id"])
        self.tables: Tables = {name: [] for name in ("threads", "runs", "messages", "tool_calls", "feedback_entries")}

    def write(self) -> Tables:
        """Return all conversations, the oldest first."""
        starts = sorted(moment(self._rng) for _ in range(THREADS - PENDING))
        for start in starts:
            self._thread(start, pending=False)
        for number in range(PENDING):
            self._thread(UNTIL - timedelta(minutes=9 - 2 * number), pending=True)
        return self.tables

    def _thread(self, start: datetime, *, pending: bool) -> None:
        rng = self._rng
        agent = rng.choices(self._agents, self._popularity)[0]
        scenario = rng.choice(SCENARIOS[self._profiles[agent["id"]].topic])
        chosen = scenario.choose(rng)
        turns = scenario.turns[:1] if pending else scenario.turns[: rng.choices((1, 2, 3), (1, 4, 6))[0]]
        binned = not pending and rng.random() < 0.04
        thread: Row = {
            "id": uuid7(rng, start),
            "owner_id": rng.choice(self._members[agent["team_id"]]),
            "agent_id": agent["id"],
            "title": fill(scenario.title, chosen),
            "pinned": rng.random() < 0.06,
            "deleted_at": None,
            "created_at": start,
            "updated_at": start,
        }
        first = len(self.tables["messages"])
        at = start
        for turn in turns:
            at = self._turn(thread, agent, turn, chosen, at, pending=pending)
            thread["updated_at"] = at
            at += timedelta(seconds=rng.uniform(15, 240))
        if binned:
            thread["deleted_at"] = min(UNTIL, at + timedelta(days=rng.uniform(0, 5)))
            for message in self.tables["messages"][first:]:
                message["deleted_at"] = thread["deleted_at"]
        self.tables["threads"].append(thread)

    def _turn(
        self, thread: Row, agent: Row, turn: Turn, chosen: dict[str, str], at: datetime, *, pending: bool
    ) -> datetime:
        """Write a question, any failed attempts and the answer. Return the time of the last one."""
        rng = self._rng
        self._message(thread, "USER", fill(turn.question, chosen), at, run=None)
        at += timedelta(milliseconds=rng.randrange(40, 400))
        if pending:
            self._run(thread, agent, turn, chosen, at, rng.choice(("RUNNING", "QUEUED")))
            return at
        if rng.random() < 0.05:
            failed = self._run(thread, agent, turn, chosen, at, rng.choices(("FAILED", "CANCELLED"), (3, 1))[0])
            at = failed["finished_at"] + timedelta(seconds=rng.uniform(2, 20))
        run = self._run(thread, agent, turn, chosen, at, "SUCCEEDED")
        done: datetime = run["finished_at"]
        self._message(thread, "ASSISTANT", fill(turn.answer, chosen), done, run=run["id"])
        if rng.random() < 0.16:
            self._feedback(thread, run["id"], done)
        return done

    def _message(self, thread: Row, author: str, content: str, at: datetime, *, run: Any) -> None:
        messages = self.tables["messages"]
        last = messages[-1] if messages and messages[-1]["thread_id"] == thread["id"] else None
        messages.append(
            {
                "id": uuid7(self._rng, at),
                "thread_id": thread["id"],
                "position": last["position"] + 1 if last else 1,
                "author": author,
                "content": content,
                "run_id": run,
                "deleted_at": None,
                "created_at": at,
            }
        )

    def _run(self, thread: Row, agent: Row, turn: Turn, chosen: dict[str, str], at: datetime, status: str) -> Row:
        rng = self._rng
        finished = status in ("SUCCEEDED", "FAILED", "CANCELLED")
        model = "heron-large" if rng.random() < 0.08 else agent["model"]
        # A token has about four characters. Instructions, tools and history are most of the prompt.
        prompt = (len(agent["instructions"]) + len(turn.question)) // 4 + rng.randrange(350, 2600)
        completion = len(turn.answer) // 4 + rng.randrange(10, 160) if status == "SUCCEEDED" else rng.randrange(60)
        started = None if status == "QUEUED" else at + timedelta(milliseconds=rng.randrange(5, 90))
        run: Row = {
            "id": uuid7(rng, at),
            "agent_id": agent["id"],
            "thread_id": thread["id"],
            "status": status,
            "model": model,
            "prompt_tokens": prompt if started else 0,
            "completion_tokens": completion if finished else 0,
            "cost": PRICES[model].cost(prompt, completion) if finished else 0,
            "error": rng.choice(ERRORS) if status == "FAILED" else None,
            "started_at": started,
            "finished_at": None,
            "created_at": at,
        }
        self.tables["runs"].append(run)
        if started is None:
            return run
        now = started + timedelta(milliseconds=rng.randrange(300, 900))
        for position, tool in enumerate(turn.tools if status == "SUCCEEDED" else turn.tools[:1], start=1):
            now = self._tool_call(run, position, tool, chosen, now)
        if finished:
            run["finished_at"] = now + timedelta(
                milliseconds=rng.randrange(400, 1200) + completion * rng.randrange(9, 16)
            )
        return run

    def _tool_call(self, run: Row, position: int, tool: Tool, chosen: dict[str, str], at: datetime) -> datetime:
        rng = self._rng
        duration = int(rng.lognormvariate(5.4, 0.8))
        status = {"SUCCEEDED": "SUCCEEDED", "RUNNING": "RUNNING"}.get(run["status"], "FAILED")
        self.tables["tool_calls"].append(
            {
                "id": uuid7(rng, at),
                "run_id": run["id"],
                "position": position,
                "name": tool.name,
                "status": status,
                "arguments": fill(tool.arguments, chosen),
                "result": fill(tool.result, chosen) if status == "SUCCEEDED" else None,
                "error": "The tool did not answer in time." if status == "FAILED" else None,
                "duration_ms": None if status == "RUNNING" else duration,
                "created_at": at,
            }
        )
        return at + timedelta(milliseconds=duration)

    def _feedback(self, thread: Row, run: Any, at: datetime) -> None:
        rng = self._rng
        rating = rng.choices((1, 2, 3, 4, 5), (4, 6, 12, 34, 44))[0]
        self.tables["feedback_entries"].append(
            {
                "id": uuid7(rng, at),
                "run_id": run,
                "user_id": thread["owner_id"],
                "rating": rating,
                "comment": rng.choice(COMMENTS[rating]) if rng.random() < 0.7 else None,
                "created_at": at + timedelta(seconds=rng.uniform(3, 60)),
            }
        )
