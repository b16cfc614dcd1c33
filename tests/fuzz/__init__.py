"""Mutated feeds through the real, killable worker: `make fuzz`, and a tier of it in `make check`."""
