"""Display of classes: colours by class name, overlays, legends."""
