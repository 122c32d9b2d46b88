"""What spark-submit is given: the command line as a file, alone in its folder."""
