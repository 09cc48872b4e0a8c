"""The messages between processes through the server: invalidations, heartbeats, barriers, the list of members."""
