"""`engagevoice`, the operator's companion: one command a file."""
