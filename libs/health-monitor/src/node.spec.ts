import { afterEach, expect, test } from '@jest/globals';
import type { SavedAlerts } from './alert-book.ts';
import type { CheckResult } from './check.ts';
import { fileStore, httpCheck, processCheck, tcpCheck } from './node.ts';
import { abortController } from './signal.ts';

interface Answer {
  writeHead(status: number, headers: Record<string, string>): Answer;
  end(body?: string): void;
}
interface Server {
  listen(port: number, host: string, ready: () => void): void;
  address(): { port: number };
  close(done: () => void): void;
  closeAllConnections(): void;
}
declare const process: {
  readonly pid: number;
  getBuiltinModule(id: 'node:http'): {
    createServer(handler: (request: { headers: Record<string, string> }, answer: Answer) => void): Server;
  };
  getBuiltinModule(id: 'node:fs'): {
    mkdtempSync(prefix: string): string;
    rmSync(path: string, options: object): void;
    writeFileSync(path: string, text: string): void;
    readdirSync(path: string): string[];
  };
  getBuiltinModule(id: 'node:os'): { tmpdir(): string };
  getBuiltinModule(id: 'node:child_process'): {
    spawn(
      command: string,
      args: string[],
    ): { readonly pid: number; kill(signal: 'SIGKILL'): void; once(event: 'exit', heard: () => void): void };
  };
};

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

async function serve(handler: (answer: Answer, headers: Record<string, string>) => void): Promise<number> {
  const server = process.getBuiltinModule('node:http').createServer((request, answer) => {
    handler(answer, request.headers);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(resolve);
      server.closeAllConnections();
    });
  cleanups.push(close);
  return server.address().port;
}

const look = async (check: ReturnType<typeof httpCheck>): Promise<CheckResult | undefined> =>
  check(abortController().signal);

test('HTTP: says what the answer says, over a connection of its own', async () => {
  const seen: Record<string, string>[] = [];
  const port = await serve((answer, headers) => {
    seen.push(headers);
    answer
      .writeHead(200, { 'content-type': 'application/json', 'x-instance-id': 'a-1' })
      .end('{"status":"degraded"}');
  });
  const check = httpCheck(`http://127.0.0.1:${port}/health`, { headers: { accept: 'application/json' } });
  expect(await look(check)).toMatchObject({ status: 'degraded', identity: 'a-1' });
  expect(seen[0]).toMatchObject({
    'x-health-check': 'true',
    accept: 'application/json',
    connection: 'close',
  });
});

test('HTTP: an answer without end is read no further than needed', async () => {
  const port = await serve((answer) => {
    answer.writeHead(503, {}).end('x'.repeat(3_000_000));
  });
  expect(await look(httpCheck(`http://127.0.0.1:${port}/`))).toMatchObject({
    status: 'down',
    message: 'HTTP 503',
  });
});

test('HTTP: a refused connection and an abort reject', async () => {
  const port = await serve(() => undefined);
  const controller = abortController();
  const asked = httpCheck(`http://127.0.0.1:${port}/`)(controller.signal);
  controller.abort(new Error('no answer within 5 ms'));
  await expect(asked).rejects.toThrow();
  await cleanups.splice(0)[0]?.();
  await expect(look(httpCheck(`http://127.0.0.1:${port}/`))).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  expect(() => httpCheck('ftp://example.org/')).toThrow('url must be http or https, got ftp:');
});

test('HTTP: a stranger is told by his header', async () => {
  const port = await serve((answer) => {
    answer.writeHead(200, { 'x-run': 'second' }).end();
  });
  const from = (header: string, value: string) =>
    look(httpCheck(`http://127.0.0.1:${port}/`, { from: { header, value } }));
  expect(await from('x-run', 'second')).toMatchObject({ status: 'up' });
  expect(await from('x-other', 'first')).toMatchObject({ status: 'up' });
  expect(await from('x-run', 'first')).toEqual({
    status: 'down',
    message: 'expected first, second answered',
  });
});

test('names are resolved as told', async () => {
  const port = await serve((answer) => {
    answer.writeHead(200, {}).end();
  });
  const refused = Object.assign(new Error('must not be called'), { code: 'EACCES' });
  const lookup = (_name: string, _options: never, callback: (error: Error, found: []) => void) => {
    callback(refused, []);
  };
  await expect(look(httpCheck(`http://localhost:${port}/`, { lookup }))).rejects.toBe(refused);
  await expect(look(tcpCheck({ host: 'localhost', port, lookup }))).rejects.toBe(refused);
});

test('TCP: who accepts is up, who refuses is not', async () => {
  const port = await serve(() => undefined);
  expect(await look(tcpCheck({ port }))).toBeUndefined();
  await cleanups.splice(0)[0]?.();
  await expect(look(tcpCheck({ port }))).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  expect(() => tcpCheck({ port: 70_000 })).toThrow(RangeError);
});

test('process: alive, killed, not started', async () => {
  expect(await look(processCheck(process.pid))).toBeUndefined();
  const child = process.getBuiltinModule('node:child_process').spawn('sleep', ['30']);
  const check = processCheck(() => child.pid);
  expect(await look(check)).toBeUndefined();
  await new Promise<void>((resolve) => {
    child.once('exit', resolve);
    child.kill('SIGKILL');
  });
  expect(await look(check)).toMatchObject({
    status: 'down',
    immediate: true,
    message: `no process ${child.pid}`,
  });
  expect(await look(processCheck(() => undefined))).toMatchObject({ status: 'down', message: 'not started' });
  await expect(async () => look(processCheck(-1))).rejects.toThrow('pid must be an integer >= 1, got -1');
});

test('file: the old state or the new one, nothing beside it', async () => {
  const files = process.getBuiltinModule('node:fs');
  const folder = files.mkdtempSync(`${process.getBuiltinModule('node:os').tmpdir()}/mesh-alerts-`);
  cleanups.push(() => {
    files.rmSync(folder, { recursive: true });
  });
  const store = fileStore(`${folder}/alerts.json`);
  expect(await store.load()).toBeUndefined();
  const alerts = { version: 1, sequence: 7 } as SavedAlerts;
  await store.save(alerts);
  await store.save({ ...alerts, sequence: 8 });
  expect(await store.load()).toEqual({ version: 1, sequence: 8 });
  expect(files.readdirSync(folder)).toEqual(['alerts.json']);
  files.writeFileSync(`${folder}/alerts.json`, 'broken');
  await expect(store.load()).rejects.toThrow(SyntaxError);
});
