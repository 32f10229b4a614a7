"""Certificates as files: signed for who is registered, published so that anybody can check them (V2c, V5d)."""
