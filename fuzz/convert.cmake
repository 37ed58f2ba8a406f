parley_fuzz(convert DEPS convert flv media rtp)
