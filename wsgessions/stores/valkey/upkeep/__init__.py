"""What goes on beside requests: expired sessions are removed, indexes are repaired."""
