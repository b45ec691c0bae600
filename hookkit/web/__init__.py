"""``HookKit``, and its two doors: the blueprint, and the front before Flask."""
