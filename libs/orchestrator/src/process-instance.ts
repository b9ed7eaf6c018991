import { BackOff } from './back-off.ts';
import type { ResolvedService } from './definition.ts';
import type { Group, HostedInstance, InstanceHost } from './instance-host.ts';
import { MeshStartError, type StartFailure } from './mesh-start-error.ts';
import type { ProcessState } from './mesh-event.ts';
import type { GroupExit } from './process-group.ts';
import { ProcessLife, type LifeFollower } from './process-life.ts';
import type { ProcessSnapshot } from './process-snapshot.ts';

const linesKept = 20;
/** Crashes on the way to ready that a start puts up with: what fails twice will most likely fail again. */
const startTries = 2;
const livingStates: ReadonlySet<ProcessState> = new Set(['starting', 'listening', 'healthy', 'ready']);

/** Someone waits for this start: it ends at ready, at a final failure, or when the instance is stopped. */
type Attempt = PromiseWithResolvers<void>;

/**
 * One process of a mesh through all its lives.
 *
 * ```
 * pending --start--> starting --connect--> listening --200--> healthy --registered--> ready
 *
 * starting | listening | healthy | ready
 *     --exit 0-------------------> stopped
 *     --exit not 0, signal-------> crashed --> backing-off --delay--> starting
 *                                     '------> failed       restart 'never', a crash loop, or twice while starting
 *     --listening or healthy too late--> stopping --> failed, or crashed when it had been ready before
 *     --stop---------------------> stopping --> stopped
 * backing-off --stop--> stopped          stopped | failed | backing-off --start--> starting
 * ```
 *
 * Every launch and every stop bumps a generation: what belongs to an older one changes nothing any more.
 */
export class ProcessInstance implements HostedInstance {
  readonly service: string;
  readonly #definition: ResolvedService;
  readonly #host: InstanceHost;
  readonly #backOff: BackOff;
  #port: number;
  #state: ProcessState = 'pending';
  #generation = 0;
  #wanted = false;
  #stopRequests = 0;
  /** The life that is, or the last that was. */
  #life: ProcessLife | undefined;
  #isAlive = false;
  #attempt: Attempt | undefined;
  #ending: Promise<void> | undefined;
  #restarting: Promise<void> | undefined;
  #cancelRestart: (() => void) | undefined;
  #hasListened = false;
  /** Healthy but not registered in time: why. */
  #late: string | undefined;
  #restarts = 0;
  #reason: string | undefined;
  #lastLines: string[] = [];
  /** Crashes in the start that somebody waits for. */
  #failedTries = 0;

  constructor(definition: ResolvedService, port: number, host: InstanceHost) {
    this.service = definition.name;
    this.#definition = definition;
    this.#port = port;
    this.#host = host;
    this.#backOff = new BackOff(host.backOff);
  }

  /** `user-service-4001`; the bare name of the service when it has no port. */
  get instance(): string {
    return this.#port === 0 ? this.service : `${this.service}-${this.#port}`;
  }

  get port(): number {
    return this.#port;
  }

  get state(): ProcessState {
    return this.#state;
  }

  getSnapshot(): ProcessSnapshot {
    return Object.freeze({
      instance: this.instance,
      service: this.service,
      port: this.#port || undefined,
      url: this.#port === 0 ? undefined : `http://127.0.0.1:${this.#port}`,
      pid: this.#group?.pid,
      state: this.#state,
      restarts: this.#restarts,
      gates: Object.freeze({ ...this.#life?.gates }),
      readyMs: this.#life?.readyMs,
      reason: this.#reason,
    });
  }

  /** Before the first start: the port that the mesh has found for it. */
  assignPort(port: number): void {
    this.#port = port;
    this.#hasListened = false;
  }

  /**
   * Resolves when it is ready. A start that somebody asked for forgets earlier crashes; asked again on the way,
   * the answer is the same promise.
   *
   * @throws MeshStartError
   */
  start(): Promise<void> {
    this.#wanted = true;
    if (this.#ending !== undefined) {
      const again = (): Promise<void> =>
        this.#wanted
          ? this.start()
          : Promise.reject(this.#error('stopped', 'was stopped before it was ready'));
      return this.#ending.then(again, again);
    }
    if (this.#attempt !== undefined) return this.#attempt.promise;
    if (this.#state === 'ready') return Promise.resolve();
    if (this.#late !== undefined) return Promise.reject(this.#error('timeout', this.#late));
    this.#cancelRestart?.();
    this.#failedTries = 0;
    const attempt = (this.#attempt = Promise.withResolvers());
    // Whether anybody waits for the answer is the caller's business.
    attempt.promise.catch(() => undefined);
    if (!livingStates.has(this.#state)) {
      this.#backOff.reset();
      void this.#launch();
    }
    return attempt.promise;
  }

  /** Resolves when the process and its group are gone. `force` kills at once. @throws Error when something survives. */
  stop({ force = false }: { force?: boolean } = {}): Promise<void> {
    this.#wanted = false;
    this.#stopRequests++;
    this.#restarting = undefined;
    if (this.#ending !== undefined) {
      if (force) this.#group?.kill();
      return this.#ending;
    }
    this.#cancelRestart?.();
    this.#fail('stopped', 'was stopped before it was ready');
    if (this.#group !== undefined)
      return this.#end(force ? 0 : this.#definition.stopTimeoutMs, () => {
        this.#to('stopped');
      });
    this.#generation++;
    if (this.#state !== 'stopped' && this.#state !== 'failed') this.#to('stopped');
    return Promise.resolve();
  }

  /** Stops and starts it; asked again on the way, the answer is the same promise. A later `stop()` has the last word. */
  restart(): Promise<void> {
    if (this.#restarting !== undefined) return this.#restarting;
    const stopped = this.stop();
    const request = this.#stopRequests;
    const restarting = stopped.then(() => {
      if (request !== this.#stopRequests) throw this.#error('stopped', 'was stopped before it was ready');
      return this.start();
    });
    const forget = (): void => {
      if (this.#restarting === restarting) this.#restarting = undefined;
    };
    restarting.then(forget, forget);
    this.#restarting = restarting;
    return restarting;
  }

  /** SIGKILL, which then counts as a crash. @returns whether there was a process. */
  kill(): boolean {
    this.#group?.kill();
    return this.#group !== undefined;
  }

  async #launch(): Promise<void> {
    const generation = ++this.#generation;
    this.#cancelRestart = undefined;
    const claim = await this.#host.claimPort(this, !this.#hasListened);
    if (generation !== this.#generation) return;
    if ('blocked' in claim) {
      this.#crash(claim.blocked);
      return;
    }
    this.#port = claim.port;
    try {
      this.#spawn(generation);
    } catch (error) {
      this.#give('failed', `could not be started: ${messageOf(error)}`);
    }
  }

  #spawn(generation: number): void {
    const { cwd, env, registrationUrl } = this.#host.prepare(this);
    const life = new ProcessLife(this.#host, {
      command: this.#definition.command,
      cwd,
      env,
      onLine: (stream, line) => {
        this.#lastLines = [...this.#lastLines.slice(1 - linesKept), line];
        this.#host.emit({ type: 'line', instance: this.instance, service: this.service, stream, line });
      },
    });
    this.#life = life;
    this.#isAlive = true;
    void life.group.exited.then((exit) => {
      if (generation === this.#generation) this.#exited(life, exit);
    });
    if (life.group.pid === undefined) return;
    this.#to('starting');
    void life.passGates(this.#definition, this.#port, registrationUrl, this.#follower);
  }

  readonly #follower: LifeFollower = {
    passed: (gate) => {
      if (gate === 'listening') this.#hasListened = true;
      if (gate !== 'registered') this.#to(gate);
    },
    ready: () => {
      this.#to('ready');
      this.#attempt?.resolve();
      this.#attempt = undefined;
      this.#failedTries = 0;
    },
    tooSlow: (reason) => {
      this.#timedOut(reason);
    },
    unregistered: (reason) => {
      // It works, only the registry does not know it yet: that is no reason to kill it.
      this.#late = reason;
      this.#to('healthy', { reason });
      this.#fail('timeout', reason);
    },
  };

  #timedOut(reason: string): void {
    const first = this.#attempt !== undefined;
    void this.#end(this.#definition.stopTimeoutMs, () => {
      if (!this.#wanted) this.#to('stopped');
      else if (first) this.#give('timeout', reason);
      else this.#crash(reason);
    });
  }

  /** Ends the process; `after` decides what comes then. */
  #end(graceMs: number, after: () => void): Promise<void> {
    this.#generation++;
    this.#life?.giveUp();
    this.#to('stopping');
    const group = this.#group;
    if (graceMs === 0) group?.kill();
    const ending = (async () => {
      const exit = await group?.stop(graceMs);
      this.#isAlive = false;
      this.#ending = undefined;
      if (exit?.survived !== true) {
        after();
        return;
      }
      this.#give('failed', `left processes behind that SIGKILL does not end (group ${String(group?.pid)})`);
      throw this.#error('failed', this.#reason ?? '');
    })();
    this.#ending = ending;
    ending.catch(() => undefined);
    return ending;
  }

  /** It ended by itself, or somebody else ended it. */
  #exited(life: ProcessLife, exit: GroupExit): void {
    this.#generation++;
    life.giveUp();
    this.#isAlive = false;
    if (exit.error !== undefined) {
      this.#give('failed', `could not be started: ${messageOf(exit.error)}`);
    } else if (exit.code === 0) {
      this.#fail('failed', 'ended with exit code 0 before it was ready');
      this.#wanted = false;
      this.#to('stopped', { reason: 'ended with exit code 0' });
    } else {
      const how =
        exit.signal === null ? `ended with exit code ${String(exit.code)}` : `was ended by ${exit.signal}`;
      if (this.#attempt !== undefined) this.#failedTries++;
      this.#crash(how, life.healthyMs);
    }
  }

  #crash(reason: string, healthyMs = 0): void {
    this.#to('crashed', { reason, lastLines: this.#lastLines });
    if (this.#definition.restart === 'never') {
      this.#give('failed', reason);
      return;
    }
    if (this.#failedTries >= startTries) {
      this.#give('failed', `crashed ${startTries} times before it was ready, and at last ${reason}`);
      return;
    }
    const delayMs = this.#backOff.crashed(this.#host.now(), healthyMs);
    if (delayMs === undefined) {
      const { crashLimit, crashWindowMs } = this.#backOff;
      this.#give(
        'failed',
        `crashed ${crashLimit} times within ${crashWindowMs / 1000} s, and at last ${reason}`,
      );
      return;
    }
    this.#to('backing-off', { reason, restartInMs: delayMs });
    this.#cancelRestart = this.#host.after(delayMs, () => {
      this.#restarts++;
      void this.#launch();
    });
  }

  /** There is no more to try. */
  #give(failure: StartFailure, reason: string): void {
    this.#wanted = false;
    this.#to('failed', { reason, lastLines: this.#lastLines });
    this.#fail(failure, reason);
  }

  /** Tells whoever waits for the start. */
  #fail(failure: StartFailure, reason: string): void {
    this.#attempt?.reject(this.#error(failure, reason));
    this.#attempt = undefined;
  }

  #error(failure: StartFailure, reason: string): MeshStartError {
    return new MeshStartError(this.instance, failure, reason, this.#lastLines);
  }

  get #group(): Group | undefined {
    return this.#isAlive ? this.#life?.group : undefined;
  }

  #to(
    state: ProcessState,
    detail: { reason?: string; restartInMs?: number; lastLines?: readonly string[] } = {},
  ): void {
    const previous = this.#state;
    this.#state = state;
    this.#reason = detail.reason;
    if (state !== 'healthy') this.#late = undefined;
    const { instance, service, port, pid } = this.getSnapshot();
    this.#host.emit({
      type: 'state',
      instance,
      service,
      state,
      previous,
      port,
      pid,
      elapsedMs: this.#life?.elapsedMs,
      reason: detail.reason,
      restartInMs: detail.restartInMs,
      lastLines: detail.lastLines,
    });
  }
}

function messageOf(error: unknown): string {
  const { message } = error as { message?: unknown };
  return typeof message === 'string' ? message : String(error);
}
