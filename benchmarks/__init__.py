"""Measurements that are run by hand; each prints both sides of what it compares."""
