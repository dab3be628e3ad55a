"""The registry: values, edits, API, admin, commands."""
