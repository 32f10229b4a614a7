"""Tests of the intake of readings."""
