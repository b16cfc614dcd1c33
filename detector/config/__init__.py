"""Settings and the catalogue: read, checked, every mistake reported at once."""
