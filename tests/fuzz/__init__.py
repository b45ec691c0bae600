"""Fuzzing: hostile requests into the WSGI application, and targets that coverage guides."""
