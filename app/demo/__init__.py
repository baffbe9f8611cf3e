"""The demo data's vocabulary: invented people, teams, agents and conversations."""
