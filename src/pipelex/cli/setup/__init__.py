"""Commands about this installation: `init`, `doctor`, `config`."""
