"""Klaviyo: segments become lists there, filled without ever touching anybody's consent."""
