"""The finance portal: a page with the months and an API for their statements, over any ``interface.Office``."""
