"""`engagevoice`, the command for operators: one command a file."""
