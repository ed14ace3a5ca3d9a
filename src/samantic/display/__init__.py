"""How classes are shown to people: colours by class name, overlays, legends."""
