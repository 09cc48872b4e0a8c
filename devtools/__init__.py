"""The verbs of `./dev`; they need only the standard library.

`verbs.py` has the list. A verb is a function that takes the rest of the command line and returns the exit code; its
docstring is its help. `environment.py` makes the environments that they run in.
"""
