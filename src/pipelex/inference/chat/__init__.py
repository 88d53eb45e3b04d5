"""Language models: what a client is, one file per provider, and the service that asks them."""
