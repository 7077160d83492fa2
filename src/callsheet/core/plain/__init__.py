"""Entities as plain data, and back: dumps, loads and copies."""
