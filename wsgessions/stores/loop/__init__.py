"""A store that belongs to one event loop, and calls to it from other loops and from threads."""
