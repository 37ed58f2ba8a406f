parley_fuzz(rtmp DEPS rtmp flv)
