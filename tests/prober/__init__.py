"""Probing: what nodes say, what it means, how it is written down."""
