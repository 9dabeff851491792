"""What has to be true before a version goes out: ``make release-check``."""
