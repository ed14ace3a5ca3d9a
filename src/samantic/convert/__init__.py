"""Files as other tools write them, turned into files that a data set holds."""
