"""The documentation's site: the pages that are made from the code, and how the site is built.

`python -m docsite` builds it; the generator is Zensical, the successor of Material for MkDocs. `zensical.toml` has the
table of contents.
"""
