"""Clustered web sessions for ASGI applications."""
