"""Screen two: how a worker handles entries, after the vendor has its answer."""
