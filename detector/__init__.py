"""Tell that a service is failing from what people say, before its status page does."""

__version__ = "0.1.0"
