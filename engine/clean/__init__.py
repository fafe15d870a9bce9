"""Captured curves in and out: Live Link Face CSV, ARKit JSON, tracked video, and taking their jitter out."""
