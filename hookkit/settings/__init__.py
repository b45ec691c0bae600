"""Flask's configuration, read and checked."""
