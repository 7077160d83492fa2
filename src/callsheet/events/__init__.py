"""Subscriptions, and who gets an event."""
