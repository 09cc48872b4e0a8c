"""Small pieces that know nothing of sessions."""
