"""What happens inside hookkit, for Prometheus and OpenTelemetry; each is an extra of its own."""
