"""What a query finds, as columns and files: Arrow tables, frames, CSV, JSON Lines, Parquet, Excel."""
