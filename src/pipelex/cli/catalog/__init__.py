"""Commands that list what can be named: models, pipes, concepts, backends."""
