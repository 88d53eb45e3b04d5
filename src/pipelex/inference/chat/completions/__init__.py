"""Chat completions over plain HTTP: the client, its requests and answers, and the model of this machine."""
