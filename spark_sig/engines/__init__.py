"""Ways of carrying a plan out: on the driver, in Catalyst, in Arrow."""
