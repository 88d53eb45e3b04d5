"""Commands about Temporal itself: routing, the development server, the namespace, the codec server."""
