"""Public keys: configured ones, and those fetched from a vendor's server."""
