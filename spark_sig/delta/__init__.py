"""Delta tables, and the only door to the JVM."""
