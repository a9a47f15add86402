"""Runs that their own processes declare, over a unix socket: who they are, what belongs to them, what they used.

Read ``runs.py`` first. ``protocol.py`` says what is spoken, ``server.py`` listens, ``family.py`` finds the processes,
and ``carving.py`` takes a run's part out of the container, job or user that it runs in.
"""
