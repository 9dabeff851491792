"""Laws of the local stack, held on real servers."""
