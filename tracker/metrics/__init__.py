"""What Prometheus sees: metric families over one immutable snapshot, and their exposition."""
