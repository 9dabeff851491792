"""Laws of the counter stores, held in memory and on real servers."""
