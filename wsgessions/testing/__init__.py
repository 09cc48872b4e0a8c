"""For tests of what is built on wsgessions, or for it: conformance suites, and a proxy that makes faults."""
