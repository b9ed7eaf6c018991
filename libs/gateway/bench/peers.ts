import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

const folder = join(import.meta.dirname, 'peers');

/** Installs what ours is measured against, on the first run, from the lock of that folder. Says so when it cannot. */
export function installPeers(): void {
  if (existsSync(join(folder, 'node_modules', '.package-lock.json'))) return;
  console.log('installing the peers (npm ci in libs/gateway/bench/peers)');
  const { status } = spawnSync('npm', ['ci', '--silent'], { cwd: folder, stdio: 'inherit' });
  if (status !== 0)
    console.log('skipped: the peers cannot be installed here, only what is at hand is measured');
}
