"""Files of a prompt, made into what the model's provider takes: the same for every provider, so that a method runs on all."""
