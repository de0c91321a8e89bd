"""What the owner and the log hear: log lines, alarms, metrics."""
