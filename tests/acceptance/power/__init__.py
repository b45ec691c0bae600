"""What of a SQLite file survives a power cut, told from a record of its writes and syncs."""
