"""Signs in, and keeps the token fresh."""
