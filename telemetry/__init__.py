"""What processes tell of themselves: labels that stay few, metrics as Prometheus reads them, traces."""
