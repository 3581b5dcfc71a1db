"""The pool: connections that are given to one user at a time, and wait for the next one."""
