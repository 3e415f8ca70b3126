"""How networks with approximate multipliers stand up to attacks: measurements, sweeps of them, reports."""
