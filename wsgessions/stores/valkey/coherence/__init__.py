"""What processes tell each other through the server: invalidations, heartbeats, barriers, the list of members."""
