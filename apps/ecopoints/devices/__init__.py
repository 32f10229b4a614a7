"""Devices of members: what their registers say (ECHONET Lite), the packets they sign, and simulated households."""
