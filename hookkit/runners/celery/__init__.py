"""Handlers in the workers of the application's own Celery."""
