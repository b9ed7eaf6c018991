import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

/** What the process does: listens, registers, holds a session, beats. Plain JavaScript, so that it needs no build. */
const script = `
const [url, name, interval, session] = process.argv.slice(1);
const server = require('node:http').createServer((request, response) => response.end('ok'));
server.listen(0, '127.0.0.1', async () => {
  const body = { name, port: server.address().port, heartbeatInterval: Number(interval), incarnation: String(process.pid) };
  const post = (path) => fetch(url + path, {
    method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body),
  });
  await post('/register');
  if (session === 'session') {
    const { port, incarnation } = body;
    const stream = await fetch(url + '/session', {
      method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ name, port, incarnation }),
    });
    const reader = stream.body.getReader();
    await reader.read();
    void (async () => { while (!(await reader.read()).done); })().catch(() => undefined);
    process.on('SIGUSR2', () => reader.cancel());
  }
  setInterval(() => post('/heartbeat').then((answer) => answer.status === 404 && post('/register')).catch(() => undefined), interval * 1000);
  // Not with console.log: it may write numbers in colour.
  process.stdout.write(body.port + '\\n');
});
`;

/** A process of its own that is registered as an instance. */
export interface LivingProcess {
  readonly port: number;
  readonly child: ChildProcess;
  /** Ends it the hard way, and waits until it is gone. */
  kill(): Promise<void>;
}

/** Starts one and waits until it is registered. */
export async function startProcess(
  url: string,
  { name = 'user-service', interval = 30, session = true } = {},
): Promise<LivingProcess> {
  const child = spawn(
    process.execPath,
    ['-e', script, url, name, String(interval), session ? 'session' : 'none'],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const lines = createInterface(child.stdout);
  const [line] = (await once(lines, 'line')) as [string];
  const kill = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  };
  return { port: Number(line), child, kill };
}
