import { describe } from '@jest/globals';
import { existsSync } from 'node:fs';
import { chromium, type Browser } from 'playwright-core';

const executablePath = '/usr/bin/chromium';
const present = existsSync(executablePath);

const flags = [
  '--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking',
  '--disable-component-update --disable-sync',
].flatMap((line) => line.split(' '));

/** A suite that needs Chromium; without it the suite is skipped, and says so aloud. */
export function describeInBrowser(title: string, suite: () => void): void {
  if (!present) {
    console.warn(`SKIPPED: ${title}, in a browser: needs ${executablePath} (apt-get install chromium)`);
  }
  (present ? describe : describe.skip)(`${title}, in a browser`, suite);
}

export function launchBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath, args: flags });
}
