"""The connection to a server: one link for all requests, its handshake, and the parser of replies."""
