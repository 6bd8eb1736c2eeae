"""Whoever an OpenID Connect provider vouches for: its keys, its tokens, and their roles here."""
