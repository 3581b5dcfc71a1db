"""Rows of a result: the record, and how a DataRow becomes one."""
