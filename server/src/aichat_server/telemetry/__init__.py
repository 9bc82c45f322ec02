"""What operators see: logs, metrics, traces and reports of faults."""
