"""The registry of nodes, their probing, their state and their history."""
