"""Sessions in Valkey or Redis: the multiplexed link, the scripts and the store made of them."""
