"""Reads the configuration: settings, their values, files, and mistakes in them."""
