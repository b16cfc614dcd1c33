"""Was it early? An archive is replayed through the same pipeline and compared with the official record.

`replay` runs the pipeline over posts in order, `record` answers what the provider was saying at a moment, `pairing`
puts alerts and incidents together, `scoreboard` counts, `lines` writes the files and `report` says it in words.
"""
