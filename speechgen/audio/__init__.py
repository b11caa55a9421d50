"""Samples in and out: files, resampling, loudness, features, checks."""
