import { afterEach } from '@jest/globals';
import { settled } from './calls.ts';

/**
 * Jest fails the test during which a rejection is left unhandled. This keeps each test of a suite open until the
 * rejections that it leaves behind have surfaced, so that none is blamed on another or lost at the end of the file.
 */
export function trapRejections(): void {
  afterEach(settled);
}
