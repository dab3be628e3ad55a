"""The hash-chained record of every write and every refusal."""
