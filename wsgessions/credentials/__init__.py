"""What a client shows, and how it is proved: the id, the watermark, and what a request presents of them."""
