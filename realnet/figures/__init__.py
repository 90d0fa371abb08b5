"""Figures, from tidy tables. Nothing is re-exported: a change of one figure makes no other result out of date."""
