"""Flask: the blueprint, and what is made of it per application."""
