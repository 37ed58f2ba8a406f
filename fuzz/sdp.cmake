parley_fuzz(sdp DEPS sdp)
