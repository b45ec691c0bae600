"""The pure core: data and decisions, no clock, no I/O, no logging."""
