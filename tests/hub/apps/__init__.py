"""Sample apps of every kind, none of which knows of a hub's prefix: the tests of the hub serve these files.

All Dash apps declare the same ids and pages by the global ``callback`` and ``register_page``, and answer with their own
name. ``in.value`` gives ``out.children``; ``text.value`` gives ``big.children``, the same text. Where there are routes:
``/stream`` sends events without end (``?count=3`` three), ``/upload`` answers with the size of the body, ``/who`` with
what the app knows of the visitor, ``/where`` with the URL that the framework builds, and ``/ws`` echoes.
"""
