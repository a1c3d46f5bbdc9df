"""One run from the sign-in to the run record."""
