"""Reads Singer messages from a line of bytes."""
