"""The HTTP API and the status pages of a node: begin at `app.py` (the routes) and `start.py` (the wiring)."""
