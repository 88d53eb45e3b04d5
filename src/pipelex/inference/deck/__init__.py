"""The model that a pipe means: backends and their models, presets, aliases, waterfalls, routing."""
