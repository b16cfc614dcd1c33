"""Benchmarks print figures; nothing here asserts a time."""
