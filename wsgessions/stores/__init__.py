"""The stores, each in a folder of its own, and the `registry` that finds the store for a URL by its scheme."""
