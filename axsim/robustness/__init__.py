"""How networks stand up to attacks: attacks, threat models, measures and checks; sweeps of them, reports."""
