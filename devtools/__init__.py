"""The verbs of `./dev`; nothing but the standard library is needed to run them.

`verbs.py` has the list. A verb is a function that takes the rest of the command line and answers with the exit code;
its docstring is its help. `environment.py` makes the environments that they run in.
"""
