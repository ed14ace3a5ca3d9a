"""Pages: report.html of a run, of tables, of a data set and of predictions."""
