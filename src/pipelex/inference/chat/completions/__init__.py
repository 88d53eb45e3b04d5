"""Chat completions over plain HTTP: the client, its requests and answers, and the local model of this machine."""
