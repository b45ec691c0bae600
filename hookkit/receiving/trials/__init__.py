"""What would have verified in place of a delivery that was refused."""
