"""Many apps on one server, switched on and off while it runs."""
