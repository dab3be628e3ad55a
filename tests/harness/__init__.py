"""Real processes for tests: the console, a fleet, a database, a browser."""
