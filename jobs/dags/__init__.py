"""DAGs of Airflow's; their folder is one for ``dags_folder``."""
