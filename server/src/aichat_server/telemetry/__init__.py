"""Telemetry: logs, metrics, traces and error reports."""
