"""A small Engage Voice on loopback, after the API reference, with faults on demand."""
