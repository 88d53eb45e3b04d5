"""The command line. `main` is the entry point; every command's module is imported only when it runs."""
