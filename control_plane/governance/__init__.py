"""Policies and their life, flags that are flipped by events, milestones, plugins, validators."""
