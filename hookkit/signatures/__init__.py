"""Signature schemes, one module per family. A scheme never fetches anything."""
