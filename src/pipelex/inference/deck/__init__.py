"""From the model that a pipe names to the backend that serves it: presets, aliases, waterfalls, backends, routing."""
