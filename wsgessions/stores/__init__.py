"""The stores, each in a folder of its own, and the `registry` that finds the one for a URL."""
