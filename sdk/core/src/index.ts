export * from './emitter';
export * from './errors';
export * from './machine';
export * from './policy';
export * from './room';
export * from './runner';
export * from './token';
export * from './urls';
export { MAX_FRAME_CHARS, MAX_LIST, parseFrame, writeFrame } from './wire';
