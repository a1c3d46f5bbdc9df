"""The values everything else speaks of: leads, campaigns, lists, phones."""
