"""Real-time video harmonization: a filmed person, put into another scene, in colours that belong there."""

__version__ = "0.1.0"
