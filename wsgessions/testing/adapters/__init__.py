"""The conformance suite for adapters."""
