"""The near cache: hot sessions in memory, coherent with those of other processes (C-1 to C-6, C-22).

`near_cache` answers reads and keeps the states that were read; by `listener` the connection reports changes to it.
Below it, `tiers` is the memory itself: `heap` for decoded records, `off_heap` for encoded ones that the processes of a
host share.
"""
