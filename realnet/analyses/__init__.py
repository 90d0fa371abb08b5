"""The question of each chapter as one function: RDMs in, tidy table (:data:`realnet.io.COLUMNS`) out."""
