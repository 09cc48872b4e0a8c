"""Nothing in them makes a table: they are for the permissions to see and to end sessions."""
