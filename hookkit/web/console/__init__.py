"""The operations console: pages of an application's own that show its inbox and work on it."""
