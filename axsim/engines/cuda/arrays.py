def accept(**a):
    return None
