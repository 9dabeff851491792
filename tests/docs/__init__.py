"""Laws of the documentation."""
