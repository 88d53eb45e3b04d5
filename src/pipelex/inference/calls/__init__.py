"""Parts that every call of a provider shares.

They are one HTTP client, classification, retries, keys, kept results, usage and spans.
"""
