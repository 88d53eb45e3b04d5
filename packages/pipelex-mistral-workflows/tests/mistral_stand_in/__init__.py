"""A stand-in of Mistral's API over a Temporal development server: what the unmodified SDK's worker and client ask for.

Every answer has the shape that Mistral's published client and SDK read. Nothing here knows Pipelex.
"""
