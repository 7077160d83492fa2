"""Subscriptions, and the dispatch of events to subscribers."""
