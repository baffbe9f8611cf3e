"""Subscriptions: live queries, change events, and those of the application."""
