"""Intake: readings from devices, over HTTP, MQTT and CSV, kept raw and handed to the chain in batches."""
