parley_fuzz(websocket DEPS websocket)
