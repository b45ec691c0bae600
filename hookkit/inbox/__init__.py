"""The inbox: the durable store of every event, and the state of its handling."""
