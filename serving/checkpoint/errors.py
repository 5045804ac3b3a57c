"""What is wrong with a model folder. Knows nothing else."""


class CheckpointError(Exception):
    """The folder cannot be served; the message says what is wrong with it and what would be right."""
