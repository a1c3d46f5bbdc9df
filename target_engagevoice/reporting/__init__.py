"""Shows a run to people: live display, summary, report, past runs."""
