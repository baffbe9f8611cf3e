"""The vocabulary of the demo data: invented people, teams, agents and conversations."""
