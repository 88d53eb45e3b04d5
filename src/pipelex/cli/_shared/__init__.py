"""Parts that every command uses: the terminal, failures and exit codes, settings, options, results."""
