"""Shows how fast and how light the target is: `python benchmarks/records.py` and `python benchmarks/account.py all`."""
