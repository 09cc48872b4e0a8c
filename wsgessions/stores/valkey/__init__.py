"""Sessions in Valkey or Redis.

Begin with `store`. `client` is the connection, `format` the format of sessions in the server, `sessions` reads and
changes them, `coherence` keeps the copies of all processes consistent, `upkeep` runs in the background. ``scripts/``
contains the Lua scripts.
"""
