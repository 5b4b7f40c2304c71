"""Modules that every package may use, one subject each. They know nothing of steps, models or pictures."""
