"""Language models: the interface of a client, one file for each provider, and the service that asks them."""
