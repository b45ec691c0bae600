"""Runners: who wakes the worker."""
