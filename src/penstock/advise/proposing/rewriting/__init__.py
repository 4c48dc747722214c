"""Statements said in other words: each proposal by itself, from a tree that nobody else holds."""
