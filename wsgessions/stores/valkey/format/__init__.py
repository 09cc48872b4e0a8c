"""The format of sessions in the server: names of keys, metadata, and the arguments and answers of scripts."""
