"""What a call costs: a tenant's own price table over the list prices of genai-prices. Exact, and no network."""
