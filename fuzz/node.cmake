parley_fuzz(node DEPS sfu dtls)
