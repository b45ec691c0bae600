"""``HookKit``, its blueprint, and the views of the blueprint."""
