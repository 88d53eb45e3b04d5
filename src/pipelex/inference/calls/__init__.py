"""The parts that the calls of all providers share.

They are an HTTP client, classification, retries, keys, kept results, usage and spans.
"""
