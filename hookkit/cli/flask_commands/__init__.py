"""The commands under ``flask hookkit``."""
