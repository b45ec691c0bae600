"""What operators and housekeeping do to an inbox."""
