"""Screen one: what happens to a delivery while the vendor waits."""
