"""Rows into tables: from files, frames, arrays and queries, as one stream of Arrow batches that is sent in parts."""
