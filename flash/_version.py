"""The version of the distribution ``dash-flash``."""

__version__ = "2.0.0.dev0"
