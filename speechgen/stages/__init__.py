"""The stages of a recipe: which are done, which must run again and why, and running them in order.

The shell side is ``recipes/steps.sh``; it hands its step lines to ``speechgen-stages``. Nothing here imports
torch, so that a run whose stages are all done ends at once.
"""
