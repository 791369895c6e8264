"""The live connection: one for each browser tab, with push, presence and streaming callbacks."""
