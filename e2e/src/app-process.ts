import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { eventually } from './eventually.ts';
import { get } from './http.ts';

const root = join(import.meta.dirname, '../..');

/** One process of an app beside those of the orchestrator, on a port that it keeps when it is started again. */
export class AppProcess {
  readonly url: string;
  readonly #file: string;
  readonly #env: Record<string, string>;
  #child: ChildProcess | undefined;

  private constructor(file: string, port: number, env: Record<string, string>) {
    this.url = `http://127.0.0.1:${port}`;
    this.#file = file;
    this.#env = { ...env, PORT: String(port) };
  }

  /** `file` is a path in the repository. Resolves when its `/health` answers. */
  static async start(file: string, env: Record<string, string>): Promise<AppProcess> {
    const app = new AppProcess(file, await freePort(), env);
    await app.#start();
    return app;
  }

  async restart(): Promise<void> {
    await this.stop();
    await this.#start();
  }

  /** SIGTERM, and waits for the end. */
  async stop(): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    await ended;
  }

  async #start(): Promise<void> {
    this.#child = spawn(process.execPath, ['--conditions=@mesh/source', this.#file], {
      cwd: root,
      env: { ...process.env, NODE_OPTIONS: '', LOG_LEVEL: 'warn', ...this.#env },
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    await eventually(async () => {
      if ((await get(`${this.url}/health`)).status !== 200) throw new Error(`${this.#file} is not ready`);
    });
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
