"""The parts of a worker: activities, queue, scope, tuning, logs."""
