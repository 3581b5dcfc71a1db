"""How many instructions an operation takes: figures that a busy machine does not change."""
