"""One file per question of the study: arrays of :mod:`realnet.io` in, tidy table (:data:`realnet.io.COLUMNS`) out."""
