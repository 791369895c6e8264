"""State that all browsers share, and the callbacks that run once for all of them. It knows no tab."""
