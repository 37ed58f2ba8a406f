parley_fuzz(http DEPS rest)
