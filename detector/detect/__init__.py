"""Is this many people surprising? One idea a file, each with its formula, source and an example that runs.

`weights` turns probabilities into evidence, `dedupe` gives each person one vote, `baseline` knows the usual rate by
hour of week, `negbin` says how rare a count is, `windows` keeps the starts to look back to, `closing` calls the end
and `scan` puts them together behind the `Detector` protocol.
"""
