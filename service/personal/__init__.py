"""Personal data: contacts are sealed with a key of each person's, and these apart from the log.

``ciphers``: what seals and opens; ``masters``: the keys that wrap others; ``keys``: the persons'
keys; ``contacts``: what is sealed, and how it is shown; ``erasures``: what was erased;
``personal``: all of it together.
"""
