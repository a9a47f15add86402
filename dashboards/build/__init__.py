"""The code that builds the Grafana dashboards beside it: ``python -m dashboards.build`` writes, ``--check`` compares.

Style is one decision, made here: ``style`` (colours, units, selectors, PromQL idioms), ``variables`` (what a reader can
choose), ``panels`` (the five stock panels we draw), ``quality`` (the strip that says how good the numbers are) and
``page`` (layout, links, identity). Each dashboard is one more file that only says what to ask and what it means.
"""
