"""What a worker is made of: activities, queue, scope, tuning, logs."""
