"""Files that hold product tables: arrays, texts, C headers; one module a format."""
