import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

export interface Instance {
  readonly instance: string;
  readonly service: string;
  readonly port: number;
  readonly pid: number;
  readonly state: string;
  readonly restarts: number;
}

interface Told {
  readonly type: string;
  readonly instance?: string;
  readonly state?: string;
  readonly pid?: number;
  readonly processes?: readonly Instance[];
  readonly readyMs?: number;
  readonly message?: string;
}

const root = join(import.meta.dirname, '../..');

/** `npm start -- --isolated --json`, as its own process on free ports, with databases and a registry of its own. */
export async function startMesh(env: Record<string, string> = {}, ...flags: string[]): Promise<RunningMesh> {
  const data = mkdtempSync(join(tmpdir(), 'mesh-e2e-'));
  const args = [
    '--conditions=@mesh/source',
    'apps/orchestrator/src/main.ts',
    '--isolated',
    '--json',
    ...flags,
  ];
  const child = spawn(process.execPath, args, {
    cwd: root,
    env: {
      ...process.env,
      NODE_OPTIONS: '',
      LOG_LEVEL: 'warn',
      HEARTBEAT_INTERVAL: '2',
      USER_DATABASE_URL: `sqlite:${data}/user.db`,
      ORDER_DATABASE_URL: `sqlite:${data}/order.db`,
      ALERT_FILE: `${data}/alerts.json`,
      REGISTRY_URL: pathToFileURL(`${data}/registry.snapshot`).href,
      ...env,
    },
  });
  const mesh = new RunningMesh(child, data);
  await mesh.ready;
  return mesh;
}

/** A mesh in other processes, steered as a person would: by its console and by signals. */
export class RunningMesh {
  readonly ready: Promise<void>;
  readyMs = 0;
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #data: string;
  readonly #ended: Promise<number | null>;
  readonly #instances = new Map<string, Instance>();
  readonly #output: string[] = [];
  readonly #listeners = new Set<(told: Told) => void>();

  constructor(child: ChildProcessWithoutNullStreams, data: string) {
    this.#child = child;
    this.#data = data;
    this.#ended = new Promise((resolve) => child.once('exit', resolve));
    createInterface(child.stdout).on('line', (line) => {
      this.#hear(line);
    });
    createInterface(child.stderr).on('line', (line) => this.#output.push(line));
    this.ready = Promise.race([
      this.#next(({ type }) => type === 'ready'),
      this.#ended.then((code) => {
        throw new Error(
          `the mesh ended with ${code} before it was ready:\n${this.#output.slice(-30).join('\n')}`,
        );
      }),
    ]).then(() => undefined);
  }

  /** Address of the first instance of a service. */
  url(service: string): string {
    const [first] = this.instances(service);
    if (!first) throw new Error(`no ${service} in this mesh`);
    return `http://127.0.0.1:${first.port}`;
  }

  instances(service: string): Instance[] {
    return this.all().filter((one) => one.service === service);
  }

  all(): Instance[] {
    return [...this.#instances.values()];
  }

  stopService(service: string): Promise<void> {
    return this.#steer(`stop ${service}`, this.instances(service), 'stopped');
  }

  startService(service: string): Promise<void> {
    return this.#steer(`start ${service}`, this.instances(service), 'ready');
  }

  /** Ends one instance in order and starts it again; resolves when it is ready. */
  async restart(instance: string): Promise<void> {
    const one = this.all().filter((other) => other.instance === instance);
    await this.#steer(`stop ${instance}`, one, 'stopped');
    await this.#steer(`start ${instance}`, one, 'ready');
  }

  /** Ctrl+C. Resolves with the exit code. */
  async stop(): Promise<number | null> {
    this.#child.kill('SIGINT');
    const code = await this.#ended;
    rmSync(this.#data, { recursive: true, force: true });
    return code;
  }

  /** kill -9 of the orchestrator itself. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#ended;
  }

  async #steer(command: string, instances: readonly Instance[], state: string): Promise<void> {
    const reached = instances.map(({ instance }) =>
      this.#next((told) => told.type === 'state' && told.instance === instance && told.state === state),
    );
    this.#child.stdin.write(`${command}\n`);
    await Promise.all(reached);
  }

  #next(wanted: (told: Told) => boolean): Promise<Told> {
    return new Promise((resolve) => {
      const listener = (told: Told): void => {
        if (!wanted(told)) return;
        this.#listeners.delete(listener);
        resolve(told);
      };
      this.#listeners.add(listener);
    });
  }

  #hear(line: string): void {
    this.#output.push(line);
    if (this.#output.length > 500) this.#output.shift();
    const told = JSON.parse(line) as Told;
    for (const one of told.processes ?? []) this.#instances.set(one.instance, one);
    if (told.type === 'ready') this.readyMs = told.readyMs ?? 0;
    if (told.type === 'state') this.#update(told);
    for (const listener of [...this.#listeners]) listener(told);
  }

  #update({ instance = '', state = '', pid }: Told): void {
    const known = this.#instances.get(instance);
    if (!known) return;
    const restarts = known.restarts + (state === 'crashed' ? 1 : 0);
    this.#instances.set(instance, { ...known, state, restarts, ...(pid !== undefined && { pid }) });
  }
}
