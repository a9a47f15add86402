"""The node page: one server-rendered page over a snapshot. ``page.py`` assembles it; read that first."""
