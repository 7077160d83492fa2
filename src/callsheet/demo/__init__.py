"""The demo: a real cut through the whole of Callsheet. An application of the SDK, and data that comes with it."""
