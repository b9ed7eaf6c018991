/// <reference types="node" />

/**
 * Lets everything happen that needs no time, the turns of streams included. After each test it also gives unhandled
 * rejections the time to show: Jest fails the test that left one.
 */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}
