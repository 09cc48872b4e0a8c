"""Fault injection between a client and a server."""
