"""Vocabulary of the generated record shop. Everything is invented."""

from __future__ import annotations

ADJECTIVES = (
    "Amber", "Broken", "Crimson", "Distant", "Electric", "Faded", "Golden", "Hollow", "Iron", "Jaded", "Kindred",
    "Lonesome", "Midnight", "Northern", "Open", "Paper", "Quiet", "Restless", "Silver", "Tender", "Velvet", "Winter",
)  # fmt: skip
NOUNS = (
    "Anchors", "Bridges", "Choir", "Drifters", "Engine", "Foxes", "Garden", "Harbours", "Islands", "Junction", "Kites",
    "Lanterns", "Mirrors", "Nomads", "Orchard", "Parade", "Quarry", "Rivers", "Signals", "Thunder", "Valley", "Wolves",
)  # fmt: skip
VERBS = ("Calling", "Chasing", "Counting", "Following", "Leaving", "Losing", "Painting", "Remembering", "Waiting for")
ENDINGS = ("", "", "", " (Live)", " (Acoustic)", " Pt. 1", " Pt. 2", " (Remastered)", " Reprise")
GENRES = (
    "Rock", "Jazz", "Metal", "Alternative", "Punk", "Blues", "Latin", "Reggae", "Pop", "Soundtrack", "Bossa Nova",
    "Easy Listening", "Heavy Metal", "Soul", "Electronica", "World", "Hip Hop", "Science Fiction", "Series", "Fantasy",
    "Drama", "Comedy", "Folk", "Classical", "Opera",
)  # fmt: skip
MEDIA_TYPES = ("MPEG audio", "Protected AAC audio", "Protected MPEG-4 video", "Purchased AAC audio", "AAC audio")
GIVEN = (
    "Ada", "Bruno", "Clara", "Dario", "Edith", "Felix", "Greta", "Henrik", "Iris", "Jakob", "Kira", "Leon", "Maja",
    "Nils", "Olivia", "Pablo", "Renata", "Samir", "Tessa", "Uma", "Vito", "Wilma",
)  # fmt: skip
FAMILY = (
    "Adler", "Bergman", "Costa", "Duarte", "Engel", "Farkas", "Greco", "Hansen", "Ivanov", "Jensen", "Keller",
    "Lopes", "Moreau", "Novak", "Olsen", "Petrov", "Rossi", "Silva", "Takeda", "Urban", "Vidal", "Weber",
)  # fmt: skip
CITIES = (
    ("Bergen", "Norway"), ("Bristol", "United Kingdom"), ("Córdoba", "Argentina"), ("Halifax", "Canada"),
    ("Kyoto", "Japan"), ("Lyon", "France"), ("Malmö", "Sweden"), ("Pune", "India"), ("Recife", "Brazil"),
    ("Seattle", "USA"), ("Trieste", "Italy"), ("Valparaíso", "Chile"), ("Wrocław", "Poland"),
)  # fmt: skip
TITLES = ("General Manager", "Sales Manager", "Sales Agent", "Sales Agent", "Sales Agent", "IT Manager", "IT Staff",
          "IT Staff")  # fmt: skip
MANAGERS = (None, 1, 2, 2, 2, 1, 6, 6)
