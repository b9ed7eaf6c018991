import type { ResolvedService } from './definition.ts';
import type { Group, InstanceHost } from './instance-host.ts';
import type { ProcessGroupOptions } from './process-group.ts';
import { probeHealth, probeListening, probeRegistered, type Gate, type Probe } from './readiness.ts';

/** Who follows a process on its way to ready; hears nothing more of a life that was given up. */
export interface LifeFollower {
  passed(gate: Gate): void;
  ready(): void;
  /** It did not come up in time. */
  tooSlow(reason: string): void;
  /** It works, but did not register in time; `ready` may still follow. */
  unregistered(reason: string): void;
}

/** One life of a process: from spawn to exit, with the gates that it passes. */
export class ProcessLife {
  readonly group: Group;
  /** Time from spawn to each gate, in ms. */
  readonly gates: Partial<Record<Gate, number>> = {};
  /** Time from spawn to ready, in ms. */
  readyMs: number | undefined;
  readonly #host: InstanceHost;
  readonly #bornAt: number;
  readonly #bornAtWall = Date.now();
  readonly #abort = new AbortController();

  constructor(host: InstanceHost, options: ProcessGroupOptions) {
    this.#host = host;
    this.#bornAt = host.now();
    this.group = host.createGroup(options);
  }

  /** Since the spawn, in ms. */
  get elapsedMs(): number {
    return this.#host.now() - this.#bornAt;
  }

  /** How long it has been healthy, in ms. */
  get healthyMs(): number {
    return this.gates.healthy === undefined ? 0 : this.elapsedMs - this.gates.healthy;
  }

  /** Ends all waiting; the follower hears nothing more. */
  giveUp(): void {
    this.#abort.abort();
  }

  /** Waits at each gate in turn. A process without a port has none: it is ready once it runs. */
  async passGates(
    { health, startTimeoutMs }: ResolvedService,
    port: number,
    registrationUrl: string | undefined,
    follower: LifeFollower,
  ): Promise<void> {
    for (const [gate, probe] of this.#probes(port, health, registrationUrl)) {
      const passed = await this.#pass(gate, probe, startTimeoutMs, follower);
      if (!passed || this.#abort.signal.aborted) return;
      this.gates[gate] = this.elapsedMs;
      follower.passed(gate);
    }
    this.readyMs = this.elapsedMs;
    follower.ready();
  }

  #probes(
    port: number,
    health: string,
    registrationUrl: string | undefined,
  ): readonly (readonly [Gate, Probe])[] {
    if (port === 0) return [];
    const local = [
      ['listening', probeListening(port)],
      ['healthy', probeHealth(`http://127.0.0.1:${port}${health}`)],
    ] as const;
    if (registrationUrl === undefined) return local;
    return [...local, ['registered', probeRegistered(registrationUrl, port, this.#bornAtWall)]];
  }

  async #pass(gate: Gate, probe: Probe, startTimeoutMs: number, follower: LifeFollower): Promise<boolean> {
    const { signal } = this.#abort;
    const timeoutMs = Math.max(0, startTimeoutMs - this.elapsedMs);
    const result = await this.#host.waitForGate(probe, { signal, timeoutMs });
    if (signal.aborted || result.outcome === 'aborted') return false;
    if (result.outcome === 'passed') return true;
    const reason = `was not ${gate} within ${startTimeoutMs} ms: ${result.reason}`;
    if (gate !== 'registered') {
      follower.tooSlow(reason);
      return false;
    }
    follower.unregistered(reason);
    const later = await this.#host.waitForGate(probe, { signal, timeoutMs: Infinity });
    return later.outcome === 'passed';
  }
}
