"""What an attacker can do to a network: attacks, threat models, measures, checks and controls."""
