"""The only room that imports Dagster; its files are named as the tabs of Dagster's UI.

Import the concrete modules; nothing is re-exported here. Rules about shops, catalogues or events do not
belong here: asset bodies tell the story and the floors below do the work.
"""
