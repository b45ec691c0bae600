"""Moving an endpoint from one payload version to another."""
