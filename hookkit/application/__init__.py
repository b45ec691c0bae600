"""What hookkit is in one Flask application."""
