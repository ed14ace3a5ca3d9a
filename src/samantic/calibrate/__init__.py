"""Where a rig's thermal camera looks: estimated from pairs, or read from a calibration."""
