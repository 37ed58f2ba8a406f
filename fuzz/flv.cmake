parley_fuzz(flv DEPS flv)
parley_fuzz(amf DEPS flv)
parley_fuzz(codec_config DEPS flv)
