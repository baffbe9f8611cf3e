"""Subscriptions that are told of changes."""
