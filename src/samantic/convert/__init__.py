"""Conversion of labels and recordings of other tools into the files of a data set."""
