"""Slurm jobs: who they are and which GPUs they hold. Begin with ``resolver.py``."""
