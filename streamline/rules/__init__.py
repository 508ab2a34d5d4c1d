"""What each operator of the file means: functions from symbols to a symbol, a family a module."""
