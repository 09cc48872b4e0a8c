"""Sessions in a cache that an application has configured for aiocache."""
