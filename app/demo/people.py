"""Invented people and teams. The seed combines given and family names at random."""

from __future__ import annotations

from dataclasses import dataclass

GIVEN_NAMES = (
    "Amara", "Anders", "Beatriz", "Bilal", "Camille", "Chidi", "Dalia", "Davor", "Elif", "Emre", "Farah", "Fionn",
    "Gaia", "Goran", "Hana", "Hugo", "Imani", "Ivo", "Jonas", "Jun", "Kaya", "Kofi", "Lena", "Linh", "Mateo", "Mila",
    "Nadia", "Noor", "Olga", "Oscar", "Paloma", "Priya", "Quentin", "Rafael", "Rosa", "Sanne", "Soren", "Tadeo",
    "Tomoko", "Ulrike", "Vera", "Viktor", "Wanjiru", "Xenia", "Yael", "Yusuf", "Zofia", "Zuri",
)  # fmt: skip

FAMILY_NAMES = (
    "Abebe", "Almeida", "Bakker", "Barros", "Castellan", "Chowdhury", "Dahl", "Demir", "Eriksen", "Ferreira",
    "Fontaine", "Gallo", "Grünwald", "Haddad", "Holm", "Ibarra", "Ito", "Janssen", "Kamara", "Kovac", "Laurent",
    "Lindqvist", "Marchetti", "Mbeki-Ross", "Nakagawa", "Nowicki", "Okoro", "Ortega", "Pereira", "Popescu", "Quispe",
    "Rahman", "Reyes", "Sandoval", "Sharma", "Tanaka", "Thorne", "Usman", "Varga", "Villanueva", "Wendt", "Yilmaz",
    "Zamora",
)  # fmt: skip

TIME_ZONES = (
    "Europe/Berlin", "Europe/Lisbon", "Europe/Istanbul", "Africa/Nairobi", "Africa/Lagos", "America/New_York",
    "America/Bogota", "America/Sao_Paulo", "Asia/Kolkata", "Asia/Tokyo", "Australia/Melbourne", "UTC",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class TeamProfile:
    """A team: its name, its e-mail domain (reserved for examples), its plan, and its monthly budget in dollars."""

    name: str
    domain: str
    plan: str
    budget: str | None


TEAMS = (
    TeamProfile("Northwind Logistics", "northwind-logistics.example", "BUSINESS", "4000.00"),
    TeamProfile("Fernhill Clinics", "fernhill.example", "BUSINESS", "2500.00"),
    TeamProfile("Papercrane Studio", "papercrane.example", "PRO", "300.00"),
    TeamProfile("Oakline Energy", "oakline.example", "BUSINESS", None),
    TeamProfile("Tidepool Labs", "tidepool.example", "PRO", "750.00"),
    TeamProfile("Marigold Kitchens", "marigold.example", "PRO", "200.00"),
    TeamProfile("Brightdesk", "brightdesk.example", "FREE", "50.00"),
    TeamProfile("Ostrava Rail Works", "ostrava-rail.example", "FREE", "25.00"),
)

COMMENTS = {
    1: ("This answered a different question.", "The numbers do not match our own report.", "It made up a source."),
    2: (
        "Too long, and the point came last.",
        "Half right; I had to check everything.",
        "It forgot what I said earlier.",
    ),
    3: ("Fine, but I expected more detail.", "Useful after a second try.", None),
    4: ("Clear and quick.", "Saved me a good half hour.", "Nearly perfect, one figure was rounded.", None),
    5: ("Exactly what I needed!", "Better than the wiki page.", "I pasted it straight into the reply.", None, None),
}
"""Comments for each rating from 1 to 5."""
