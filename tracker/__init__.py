"""AI compute carbon-footprint tracker: every joule measured or labelled, charged, weighed and booked."""

__version__ = "0.1.0"
