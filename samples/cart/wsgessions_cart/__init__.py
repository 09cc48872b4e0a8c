"""The cart sample: one shop on several servers, and one session on all of them. ``wsgessions cart`` runs it."""
