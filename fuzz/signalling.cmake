parley_fuzz(signalling DEPS signalling auth)
