"""How sessions lie in the server: names of keys, metadata, and what the scripts take and return."""
