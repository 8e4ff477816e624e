"""Sluicegate, a self-hosted gateway in front of LLM providers. The map of its packages is in ARCHITECTURE.md."""

__version__ = "0.1.0"
