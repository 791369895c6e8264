"""Dash's own test suite, run on Flash and compared with plain Dash.

`main` reads the arguments, `runner` runs test files in processes of their own, `plugin` puts Flash in Dash's place
inside those processes, `classify` tells from a test's source what it needs, and `report` writes TEST_LOGS.md.
"""
