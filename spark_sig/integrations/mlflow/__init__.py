"""MLflow: its signatures and its models (extra ``[mlflow]``)."""
