"""Faults that are made on purpose, between a client and a server."""
