"""The parts of the planner: names, values, tensors, and the rung of each check."""
