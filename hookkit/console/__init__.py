"""What an application names when it mounts the operations console: ``Access``."""

from hookkit.web.console.access import Access, Permission, Right

__all__ = ["Access", "Permission", "Right"]
