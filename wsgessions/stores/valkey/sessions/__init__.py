"""Reads, commits and lists of sessions."""
