import { setTimeout as pause } from 'node:timers/promises';
import { AppProcess } from './app-process.ts';
import { eventually } from './eventually.ts';
import { FrontClient } from './front-client.ts';
import { get } from './http.ts';
import { startMesh, type Instance, type RunningMesh } from './running-mesh.ts';
import { steadyLoad, type LoadReport } from './steady-load.ts';

/** Reads of every kind: composed, with a fallback that must not be needed, and proxied. */
const paths = ['/users', '/api/users/1', '/orders/user/1', '/api/orders/1', '/users-with-orders'];

/** What a bad instance did. */
export interface Tally {
  readonly asked: number;
  readonly failed: number;
}

/** A mesh with two gateways, and a client in front of them that reads all the time. */
export class ChaosWorld {
  readonly mesh: RunningMesh;
  readonly #second: AppProcess;
  readonly #client: FrontClient;

  private constructor(mesh: RunningMesh, second: AppProcess) {
    this.mesh = mesh;
    this.#second = second;
    this.#client = new FrontClient([mesh.url('api-gateway'), second.url]);
  }

  /** `env` is for all processes, both gateways among them. */
  static async start(env: Record<string, string> = {}): Promise<ChaosWorld> {
    const mesh = await startMesh(env);
    const second = await AppProcess.start('apps/gateway/src/main.ts', {
      DISCOVERY_URL: mesh.url('discovery'),
      ...env,
    });
    return new ChaosWorld(mesh, second);
  }

  async stop(): Promise<void> {
    this.#client.close();
    await this.#second.stop();
    await this.mesh.stop();
  }

  /** Reads at a constant rate while something is done to the mesh, and a little before and after. */
  async readDuring(perSecond: number, disturb: () => Promise<unknown>): Promise<LoadReport> {
    const end = steadyLoad({ perSecond, paths, get: (path) => this.#client.get(path) });
    await pause(1_000);
    await disturb();
    await pause(1_000);
    return end();
  }

  async restartGateways(): Promise<void> {
    await this.#second.restart();
    await this.mesh.restart(this.#first('api-gateway').instance);
    await this.#second.restart();
  }

  async restartServices(...services: string[]): Promise<void> {
    for (const service of services) {
      for (const { instance } of this.mesh.instances(service)) await this.mesh.restart(instance);
    }
  }

  /** kill -9. The orchestrator starts it again. */
  kill(service: string): void {
    process.kill(this.#first(service).pid, 'SIGKILL');
  }

  /** The process is there, its port accepts, nothing answers. */
  async hang(service: string, ms: number): Promise<void> {
    const { pid } = this.#first(service);
    process.kill(pid, 'SIGSTOP');
    await pause(ms);
    process.kill(pid, 'SIGCONT');
  }

  /**
   * One more instance of a service, a bad one, for `ms` and then until `isEnough`: a busy machine hears of it late. Resolves with how often
   * it was asked, and how often it failed.
   */
  async join(
    service: string,
    faults: Record<string, string>,
    ms: number,
    isEnough = ({ asked }: Tally): boolean => asked > 0,
  ): Promise<Tally> {
    const bad = await AppProcess.start('e2e/src/faulty-instance.ts', {
      DISCOVERY_URL: this.mesh.url('discovery'),
      SERVICE: service,
      TARGET: this.mesh.url(service),
      ...faults,
    });
    await pause(ms);
    try {
      return await eventually(async () => {
        const tally = (await get(`${bad.url}/health/tally`)).body as Tally;
        if (!isEnough(tally))
          throw new Error(`the bad instance has met too little: ${JSON.stringify(tally)}`);
        return tally;
      }, 20_000);
    } finally {
      await bad.stop();
    }
  }

  /** Waits until everybody is registered and serves again. */
  async settle(): Promise<void> {
    await eventually(async () => {
      for (const service of ['user-service', 'order-service']) {
        const { body } = await get(`${this.mesh.url('discovery')}/services/${service}`);
        if (body.instances?.length !== 3) throw new Error(`${service}: ${JSON.stringify(body)}`);
      }
    }, 30_000);
    await pause(500);
  }

  #first(service: string): Instance {
    const [first] = this.mesh.instances(service);
    if (first === undefined) throw new Error(`no ${service} in this mesh`);
    return first;
  }
}
