"""SQL as text: its tokens, and whether a statement may be run a second time. No I/O."""
