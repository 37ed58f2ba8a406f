parley_fuzz(stun DEPS ice auth)
