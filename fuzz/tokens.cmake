parley_fuzz(tokens DEPS auth)
