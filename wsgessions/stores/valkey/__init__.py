"""Sessions in Valkey or Redis.

Begin with `store`. `client` is the connection, `format` how sessions lie in the server, `sessions` reads and changes
them, `coherence` keeps the copies of all processes true, `upkeep` goes on beside requests. ``scripts/`` has the Lua.
"""
