"""The ``hookkit`` command: a sender for people who build a receiver."""
