"""A Chinook-shaped record shop: its SDL and generated data at any scale."""
