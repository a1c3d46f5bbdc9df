"""Counts what became of each record, writes rejects, and releases STATE."""
