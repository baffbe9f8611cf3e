"""The agents of the demo. Each topic has one; several teams use it under different names."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AgentProfile:
    """An agent before it belongs to a team. `topic` leads to its conversations."""

    topic: str
    names: tuple[str, ...]
    description: str
    instructions: str
    model: str
    temperature: float
    tools: tuple[str, ...]
    tags: tuple[str, ...]


TAGS = {
    "support": "#2563eb", "writing": "#9333ea", "code": "#0f766e", "finance": "#15803d", "data": "#b45309",
    "operations": "#b91c1c", "people": "#db2777", "travel": "#0891b2", "legal": "#475569", "food": "#ca8a04",
    "research": "#4f46e5", "languages": "#7c3aed", "internal": "#64748b", "customer-facing": "#0284c7",
    "experimental": "#f97316", "on call": "#dc2626",
}  # fmt: skip

AGENTS = (
    AgentProfile(
        "support",
        ("Harbor", "Parcel Desk", "Front Door"),
        "Answers customers about orders, deliveries and refunds, and knows when to hand over to a person.",
        "You answer customers. Look the order up before you say anything about it. Never promise a refund above 100 "
        "dollars.",
        "kestrel-2",
        0.3,
        ("lookup_order", "create_refund", "search_help_center"),
        ("support", "customer-facing"),
    ),
    AgentProfile(
        "code",
        ("Patchwork", "Second Pair"),
        "Reviews changes, explains unfamiliar code and writes the test that was missing.",
        "You review code. Quote the line you mean. Prefer a failing test to an opinion.",
        "kestrel-2-code",
        0.2,
        ("read_file", "run_tests", "search_code"),
        ("code", "internal"),
    ),
    AgentProfile(
        "incident",
        ("Beacon", "Night Watch"),
        "Sits beside the engineer on call: reads graphs and logs, suggests the next step, keeps the timeline.",
        "You help during incidents. One step at a time, reversible steps first, and say how sure you are.",
        "heron-large",
        0.1,
        ("query_metrics", "search_logs", "page_team"),
        ("operations", "on call", "internal"),
    ),
    AgentProfile(
        "data",
        ("Prism", "Table Talk"),
        "Turns questions into SQL against the warehouse and explains what came back.",
        "You answer with numbers. Show the query, name the period, and point out small samples.",
        "heron-large",
        0.1,
        ("run_sql", "describe_table", "render_chart"),
        ("data", "internal"),
    ),
    AgentProfile(
        "finance",
        ("Ledger", "Penny"),
        "Matches invoices with orders, explains budget lines and prepares the month's close.",
        "You work with invoices and budgets. Amounts are exact; when two sources differ, show both.",
        "kestrel-2",
        0.1,
        ("find_invoice", "get_budget", "post_note"),
        ("finance", "internal"),
    ),
    AgentProfile(
        "writing",
        ("Quill", "Red Pencil", "Plain Words"),
        "Edits drafts for clarity, keeps the writer's voice, and explains each change that matters.",
        "You edit. Keep the author's voice. Cut before you add. Never invent facts.",
        "albatross",
        0.9,
        ("check_style_guide",),
        ("writing",),
    ),
    AgentProfile(
        "travel",
        ("Concierge", "Waypoint"),
        "Plans business trips within the travel policy, door to door.",
        "You plan trips. Prefer trains below five hours. Keep to the policy and say when an option breaks it.",
        "kestrel-2",
        0.6,
        ("search_trains", "search_hotels", "get_policy"),
        ("travel", "people"),
    ),
    AgentProfile(
        "people",
        ("Compass", "First Week"),
        "Answers new colleagues' questions about leave, equipment and who does what.",
        "You help colleagues. Link the policy that you rely on. Personal matters go to a person.",
        "sparrow-mini",
        0.4,
        ("search_handbook", "get_leave_balance"),
        ("people", "internal"),
    ),
    AgentProfile(
        "contracts",
        ("Notary", "Fine Print"),
        "Reads contracts, lists the unusual clauses and drafts questions for the lawyer.",
        "You read contracts for people who are not lawyers. Quote the clause. You give no legal advice.",
        "albatross",
        0.2,
        ("read_document", "compare_clauses"),
        ("legal", "research"),
    ),
    AgentProfile(
        "cooking",
        ("Saffron", "Mise en Place"),
        "Plans menus, scales recipes and keeps allergens in view.",
        "You plan menus for a kitchen. State allergens first. Weights in grams.",
        "kestrel-2",
        0.8,
        ("search_recipes", "check_stock"),
        ("food", "experimental"),
    ),
    AgentProfile(
        "research",
        ("Scout", "Reading Room"),
        "Reads papers and reports and returns a short, sourced summary.",
        "You summarise sources. Every claim has one. Say what the sources do not cover.",
        "heron-large",
        0.3,
        ("search_papers", "fetch_page"),
        ("research", "data"),
    ),
    AgentProfile(
        "languages",
        ("Lingua", "Both Ways"),
        "Translates and explains the choices, for people who read both languages a little.",
        "You translate. Keep the register. Explain a choice when a learner could trip over it.",
        "sparrow-mini",
        0.5,
        ("search_glossary",),
        ("languages", "writing"),
    ),
)

ERRORS = (
    "The model did not answer within 60 seconds.",
    "The tool returned more than the model can read.",
    "The provider is over capacity; try again in a minute.",
    "The answer was cut off at the token limit.",
)
"""Error messages of failed runs."""
