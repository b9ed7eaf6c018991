import { afterEach, describe, expect, jest, test } from '@jest/globals';
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { Agent, get } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { fileURLToPath } from 'node:url';
import { FakeRegistry } from './testing/fake-registry.ts';

// Real processes: on a busy machine they take their time.
jest.setTimeout(30_000);

const script = fileURLToPath(new URL('testing/note-service.ts', import.meta.url));
const ends: (() => unknown)[] = [];

afterEach(async () => {
  await Promise.all(ends.splice(0).map((end) => end()));
});

/** A service in a process of its own. */
class Service {
  readonly child: ChildProcess;
  readonly exited: Promise<{ code: number | null; signal: string | null }>;
  stdout = '';
  stderr = '';

  constructor(env: Record<string, string>) {
    const settings = { PORT: '0', REGISTER: 'no', LEAVE_DELAY_MS: '50', ...env };
    this.child = spawn(
      process.execPath,
      [
        '--conditions=@mesh/source',
        '--disable-warning=ExperimentalWarning',
        script,
        JSON.stringify(settings),
      ],
      { stdio: ['ignore', 'pipe', 'pipe', 'ipc'] },
    );
    this.child.stdout?.on('data', (chunk: Buffer) => (this.stdout += chunk.toString()));
    this.child.stderr?.on('data', (chunk: Buffer) => (this.stderr += chunk.toString()));
    const streams = [this.child.stdout, this.child.stderr].flatMap((stream) =>
      stream ? [once(stream, 'close')] : [],
    );
    this.exited = Promise.all([once(this.child, 'exit'), ...streams]).then(() => ({
      code: this.child.exitCode,
      signal: this.child.signalCode,
    }));
    ends.push(() => {
      this.child.kill('SIGKILL');
      return this.exited;
    });
  }

  async port(): Promise<number> {
    const [message] = (await once(this.child, 'message')) as [{ type: string; port: number }];
    expect(message.type).toBe('listening');
    return message.port;
  }

  async says(text: string): Promise<void> {
    while (!`${this.stdout}${this.stderr}`.includes(text)) {
      await Promise.race([once(this.child.stdout!, 'data'), once(this.child.stderr!, 'data'), this.exited]);
      if (this.child.exitCode !== null) break;
    }
    expect(`${this.stdout}${this.stderr}`).toContain(text);
  }
}

async function isOpen(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  return new Promise((resolve) => {
    socket.on('error', () => {
      resolve(false);
    });
    socket.on('connect', () => {
      socket.destroy();
      resolve(true);
    });
  });
}

describe('leaving', () => {
  test('SIGTERM: a slow request in flight is answered, then the process ends with 0 and the port is free', async () => {
    const service = new Service({});
    const port = await service.port();
    const answer = fetch(`http://127.0.0.1:${port}/slow/400`);
    await service.says('working');
    service.child.kill('SIGTERM');
    const response = await answer;
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({ done: true });
    expect(response.headers.get('connection')).toBe('close');
    expect(await service.exited).toEqual({ code: 0, signal: null });
    expect(await isOpen(port)).toBe(false);
  });

  test('the application is given the port on which it listens, not 0', async () => {
    const service = new Service({ LOG_LEVEL: 'silent' });
    const port = await service.port();
    expect(await (await fetch(`http://127.0.0.1:${port}/port`)).json()).toEqual({ port });
  });

  test('who keeps a connection open is served and told to go, also by a service that is not registered', async () => {
    const service = new Service({ LEAVE_DELAY_MS: '300' });
    const port = await service.port();
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const status = async () => {
      const [answer] = (await once(get({ agent, port, host: '127.0.0.1', path: '/health' }), 'response')) as [
        IncomingMessage,
      ];
      answer.resume();
      await once(answer, 'end');
      return [answer.statusCode, answer.headers.connection];
    };
    expect(await status()).toEqual([200, 'keep-alive']);
    service.child.kill('SIGTERM');
    await service.says('leaving');
    expect(await status()).toEqual([503, 'close']);
    expect(await service.exited).toEqual({ code: 0, signal: null });
  });

  test('a second signal ends it at once, by that signal', async () => {
    const service = new Service({});
    const port = await service.port();
    const answer = fetch(`http://127.0.0.1:${port}/slow/60000`).catch(() => 'cut');
    await service.says('working');
    service.child.kill('SIGTERM');
    await service.says('leaving');
    await new Promise((resolve) => setTimeout(resolve, 300));
    service.child.kill('SIGTERM');
    expect(await service.exited).toEqual({ code: null, signal: 'SIGTERM' });
    expect(await answer).toBe('cut');
  });

  test('what has not ended after the grace period is cut off', async () => {
    const service = new Service({ GRACE_PERIOD_MS: '100' });
    const port = await service.port();
    const stream = await fetch(`http://127.0.0.1:${port}/stream`);
    service.child.kill('SIGINT');
    await expect(stream.text()).rejects.toThrow();
    expect(await service.exited).toEqual({ code: 1, signal: null });
    expect(service.stdout).toContain('the grace period is over');
  });

  test('a forgotten timer does not keep it', async () => {
    const service = new Service({ GRACE_PERIOD_MS: '100', STUCK: 'yes' });
    await service.port();
    service.child.kill('SIGTERM');
    expect(await service.exited).toEqual({ code: 0, signal: null });
    expect(service.stdout).toContain('something still holds the process');
  });

  test('it leaves when the parent is gone', async () => {
    const service = new Service({});
    const port = await service.port();
    service.child.disconnect();
    expect(await service.exited).toEqual({ code: 0, signal: null });
    expect(await isOpen(port)).toBe(false);
  });
});

describe('a failed start is one line and exit code 1', () => {
  test('a port in use', async () => {
    const holder = new FakeRegistry();
    ends.push(() => {
      holder.close();
    });
    const port = await holder.listen();
    const service = new Service({ PORT: String(port) });
    expect(await service.exited).toEqual({ code: 1, signal: null });
    expect(service.stderr).toBe(
      `note-service: port ${port} on 127.0.0.1 is already in use; stop what listens there or choose another PORT\n`,
    );
  });

  test('a wrong configuration', async () => {
    const service = new Service({ PORT: 'http', LOG_LEVEL: 'loud' });
    expect(await service.exited).toEqual({ code: 1, signal: null });
    expect(service.stderr).toMatch(
      /^note-service: configuration: PORT must [^\n]*; LOG_LEVEL must [^\n]*\n$/,
    );
  });

  test('an address that this machine does not have', async () => {
    const service = new Service({ HOST: '192.0.2.1', MESH_TOKEN: 'a-token-of-16-chars' });
    expect(await service.exited).toEqual({ code: 1, signal: null });
    expect(service.stderr).toMatch(/^note-service: [^\n]*192\.0\.2\.1[^\n]*check HOST\n$/);
  });
});

describe('the registry', () => {
  test('hears of the instance, and of its leave before the door closes', async () => {
    const registry = new FakeRegistry();
    ends.push(() => {
      registry.close();
    });
    const url = `http://127.0.0.1:${await registry.listen()}`;
    const service = new Service({
      REGISTER: 'yes',
      DISCOVERY_URL: url,
      LEAVE_DELAY_MS: '200',
      HEARTBEAT_INTERVAL: '5',
    });
    const port = await service.port();
    await service.says('registered');
    expect(registry.calls.find((call) => call.url === '/register')?.body).toMatchObject({
      name: 'note-service',
      id: `note-service-${port}`,
      host: '127.0.0.1',
      port,
      heartbeatInterval: 5,
      healthCheckUrl: `http://127.0.0.1:${port}/health`,
    });
    service.child.kill('SIGTERM');
    await registry.heard('DELETE', `/services/note-service/${port}`);
    const late = await fetch(`http://127.0.0.1:${port}/health`);
    expect(late.status).toBe(503);
    expect(await late.json()).toMatchObject({ status: 'leaving' });
    expect(await service.exited).toEqual({ code: 0, signal: null });
  });

  test('may be down at the start: the service serves, warns once, and registers when it is up', async () => {
    const registry = new FakeRegistry();
    ends.push(() => {
      registry.close();
    });
    const registryPort = await registry.listen();
    await new Promise((resolve) => registry.server.close(resolve));
    const service = new Service({ REGISTER: 'yes', DISCOVERY_URL: `http://127.0.0.1:${registryPort}` });
    const port = await service.port();
    expect((await fetch(`http://127.0.0.1:${port}/health`)).status).toBe(200);
    await service.says('trying again');
    await new Promise((resolve) => setTimeout(resolve, 600));
    expect(service.stdout.match(/trying again/g)).toHaveLength(1);
    await registry.listen(registryPort);
    await registry.heard('POST', '/register');
    await service.says('registered');
    service.child.kill('SIGTERM');
    expect(await service.exited).toEqual({ code: 0, signal: null });
  });
});
