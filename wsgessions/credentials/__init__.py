"""The credentials of a client: the id and the watermark, their verification, and the values that a request presents."""
