"""Screen two: what happens to an entry when nobody waits."""
