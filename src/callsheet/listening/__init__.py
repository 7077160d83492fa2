"""Durable handlers, run by `callsheet listen`: every event is handled, and its effect happens once."""
