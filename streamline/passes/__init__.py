"""``Graph -> Graph`` functions, one identity a module."""
