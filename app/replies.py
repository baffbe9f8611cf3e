"""The demo's job: an agent answers in a thread. The page at `/` follows its output (docs/jobs.md)."""

from __future__ import annotations

import uuid
from typing import Any

from app.models import Turn, complete
from app.pricing import PRICES
from clew import JobContext

_ROLES = {"USER": "user", "ASSISTANT": "assistant", "SYSTEM": "system"}

THREAD = """
query ($id: ID!) {
  thread(id: $id) {
    agent { id model instructions }
    messages(orderBy: [{position: ASC}]) { position author content }
  }
}
"""
ASK = "mutation ($message: MessageCreateInput!) { upsertMessage(input: $message, on: id, update: []) { position } }"
ANSWER = "mutation ($run: RunCreateInput!) { createRun(input: $run) { messages { id } } }"


async def reply(ctx: JobContext, thread_id: str, prompt: str) -> str:
    """Write the prompt into the thread, stream an answer to it, and write that. Return the key of the answer."""
    # `@row` has made sure that the thread is the caller's. Only the system writes answers, so it reads and writes here.
    thread: dict[str, Any] = (await ctx.system.graphql(THREAD, id=thread_id))["thread"]
    # The same key in each run of this job: a second run finds the first one's message.
    asked = {"id": str(uuid.uuid5(uuid.UUID(ctx.id), "prompt")), "threadId": thread_id, "author": "USER"}
    before = thread["messages"]
    position = max((turn["position"] for turn in before), default=0) + 1
    message = {**asked, "position": position, "content": prompt}
    made = (await ctx.system.graphql(ASK, message=message))["upsertMessage"]
    earlier = [turn for turn in before if turn["position"] < made["position"]]
    turns = [{"role": "system", "content": thread["agent"]["instructions"]}]
    turns += [{"role": _ROLES[turn["author"]], "content": turn["content"]} for turn in earlier]
    turns.append({"role": "user", "content": prompt})

    async def answer() -> str:
        return await _stream(ctx, turns)

    # A run after a crash does not ask the model again.
    text = await ctx.step("answer", answer)
    agent, counts = thread["agent"], [sum(len(t["content"].split()) for t in turns), len(text.split())]
    price = PRICES.get(agent["model"])
    said = {"threadId": thread_id, "author": "ASSISTANT", "content": text, "position": made["position"] + 1}
    run = {
        "agentId": agent["id"],
        "threadId": thread_id,
        "status": "SUCCEEDED",
        "model": agent["model"],
        "promptTokens": counts[0],
        "completionTokens": counts[1],
        "cost": str(price.cost(*counts)) if price else "0",
        "messages": {"create": [said]},
    }
    async with ctx.transaction():
        # The answer, its bill and the end of the job: all or nothing.
        written = await ctx.system.graphql(ANSWER, run=run)
        return str(written["createRun"]["messages"][0]["id"])


async def _stream(ctx: JobContext, turns: list[Turn]) -> str:
    tokens: list[str] = []
    async for token in complete(turns):
        await ctx.emit(token)
        tokens.append(token)
    return "".join(tokens).strip()
