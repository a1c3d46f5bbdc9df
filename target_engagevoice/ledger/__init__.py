"""Remembers on disk what each campaign accepted, and which requests are under way."""
