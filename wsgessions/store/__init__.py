"""The contract of a session store, and what stores and their users share."""
