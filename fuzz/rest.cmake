parley_fuzz(rest DEPS rest)
