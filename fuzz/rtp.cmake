parley_fuzz(rtp DEPS rtp media)
parley_fuzz(rtcp DEPS rtcp)
parley_fuzz(h264 DEPS rtp media)
