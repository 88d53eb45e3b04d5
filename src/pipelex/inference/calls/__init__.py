"""What every call of a provider shares: one HTTP client, classification, retries, keys, kept results, usage, spans."""
