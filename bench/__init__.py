"""Measurements beside the peers, in one run on one machine. Ratios matter; absolute times are this machine's."""
