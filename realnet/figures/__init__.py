"""Figures: one function per figure, tidy table in, matplotlib figure out; ``style.save_figure`` writes them.

Import each figure from its own module: nothing is re-exported here, so that a change of one figure makes no other
result of a study out of date.
"""
