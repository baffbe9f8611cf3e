"""Subscriptions: what runs them, behind one entry for every transport."""
