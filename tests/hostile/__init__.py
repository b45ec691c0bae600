"""Hostile requests over raw sockets, to hookkit under every server that it runs on."""
