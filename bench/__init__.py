"""Measurements of wsgessions and of other libraries, in one run on one machine. Ratios count, absolute times do not."""
