"""YAML files become typed, frozen policy objects; every fault names file, line and column."""
