import { defineConfig } from 'vitest/config';
export default defineConfig({ test: { projects: ['sdk/core', 'sdk/wxapp', 'testing/fake-wechat', 'examples/wxapp-meeting'], passWithNoTests: false } });
