"""Turns a stream's records into leads: checks, routes and maps them."""
