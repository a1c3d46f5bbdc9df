"""Shows before a run what it would do: check, preview and proposed mappings."""
