parley_fuzz(srtp DEPS srtp)
