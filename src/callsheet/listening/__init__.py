"""Durable handlers: run by `callsheet listen`, each event handled, its effect once."""
