"""Background work: removing expired sessions, and repairing indexes."""
