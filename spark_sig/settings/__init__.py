"""Settings of the commands: flags of the command line over a YAML file over defaults."""
