"""The soak: batches and streams into two tables by processes that are killed and started again."""
