"""A small application in which each part of the web kit is used once."""
