import { Backoff } from './backoff.ts';
import type { DiscoverySettings } from './discovery-client-options.ts';
import { closedError, DiscoveryError } from './discovery-error.ts';
import type { Heartbeats } from './heartbeats.ts';
import type { Instance, Registration, ServiceDescription } from './instance.ts';
import { Pause } from './pause.ts';
import type { Position } from './position.ts';
import { reaches } from './position.ts';
import type { Provider } from './provider.ts';
import type { Acceptance } from './registry-answer.ts';
import { Session } from './session.ts';
import type { WatchMessage } from './watch-message.ts';

/** A registration that was removed comes back within this. */
const returnJitterMs = 250;

/** Spreads the registrations of everyone who learns at the same moment that the registry restarted; at most an interval. */
const herdJitterMs = 2000;

/** What the registry told while nobody beats is kept until it can be judged; the oldest goes. */
const maximumEarly = 32;

/** What was told about this registration; after `doubted` a heartbeat asks what became of it. */
type Notice = 'removed' | 'doubted' | 'restarted';

/** Reasons of a removal that only hide the instance from callers. */
const hiding: ReadonlySet<string> = new Set(['down', 'draining', 'maintenance']);

/** How a heartbeat went; `failed`: not heard, to be tried again. */
type Beat = 'alive' | 'failed' | 'lost' | 'ended';

/** What the client wants to know of a registration. */
export interface RegistrationListener {
  /** The registry accepted, for the first time or again. */
  onAccepted(): void;
  /** No more calls will come of it. */
  onEnded(): void;
}

/**
 * One instance of ours in the registry, kept there until it is deregistered.
 *
 *   registering --accepted--> beating --404, removed, registry restarted--> registering
 *        \--refused (first time only)--> ended       \--409--> superseded
 */
export class ServiceRegistration implements Registration {
  readonly #settings: DiscoverySettings;
  readonly #provider: Provider;
  readonly #heartbeats: Heartbeats;
  readonly #description: ServiceDescription;
  /** Of this call, not of the process: who registers anew is another one for the callers' circuits. */
  readonly #incarnation = crypto.randomUUID();
  readonly #pause: Pause;
  readonly #backoff: Backoff;
  readonly #stopping = new AbortController();
  readonly #listener: RegistrationListener;
  readonly #session: Session;
  #instance: Instance | undefined;
  #acceptedAt: Position | undefined;
  #notice: Notice | undefined;
  /** Told while registering: most of it is older than the answer to come, but its removal may overtake that answer. */
  #early: WatchMessage[] = [];
  #isDraining = false;
  #beating = false;
  /** Waiting after a failure, not for the next heartbeat. */
  #retrying = false;
  #superseded = false;
  /** Stopped before the answer to the first registration: the registry may list it all the same. */
  #unanswered = false;
  #loop: Promise<void> | undefined;
  #leaving: Promise<void> | undefined;

  constructor(
    settings: DiscoverySettings,
    provider: Provider,
    heartbeats: Heartbeats,
    description: ServiceDescription,
    listener: RegistrationListener,
  ) {
    this.#settings = settings;
    this.#provider = provider;
    this.#heartbeats = heartbeats;
    this.#description = description;
    this.#listener = listener;
    this.#pause = new Pause(settings.timers);
    this.#backoff = new Backoff(settings.random);
    this.#session = new Session(settings, provider, (end) => {
      if (this.#beating) this.#learn(end === 'removed' ? 'removed' : 'doubted');
    });
  }

  /** Name of the service. */
  get name(): string {
    return this.#description.name;
  }

  get instance(): Instance {
    if (this.#instance === undefined)
      throw new DiscoveryError('ERR_DISCOVERY_UNAVAILABLE', 'not registered yet');
    return this.#instance;
  }

  /** Resolves when the registry accepted; rejects when it refused, at `signal`, and when it is ended before. */
  async start(signal?: AbortSignal): Promise<void> {
    const leave = (): void => void this.deregister();
    signal?.addEventListener('abort', leave, { once: true });
    const failure = await new Promise<Error | undefined>((resolve) => {
      this.#loop = this.#run(resolve);
    });
    signal?.removeEventListener('abort', leave);
    signal?.throwIfAborted();
    if (failure !== undefined) throw failure;
  }

  /** Where in the registry's history it was accepted last. */
  get acceptedAt(): Position | undefined {
    return this.#acceptedAt;
  }

  /** What the watch told; only called for messages that would mention this registration. */
  hear(message: WatchMessage): void {
    if (message.type !== 'remove' && message.type !== 'snapshot') return;
    if (!this.#beating) {
      this.#early.push(message);
      if (this.#early.length > maximumEarly) this.#early.shift();
      return;
    }
    // Told about a time before the registry accepted: no news.
    if (this.#instance === undefined || reaches(this.#acceptedAt, message.position)) return;
    const { id, name } = this.#instance;
    if (message.type === 'remove') {
      if (message.name === name && message.id === id) this.#hearRemoval(message.reason);
    } else if (!message.instances.some((instance) => instance.name === name && instance.id === id)) {
      this.#hearAbsence(message.position);
    }
  }

  /** The registry is back: no need to wait for the next try. */
  hurry(): void {
    if (this.#retrying) this.#pause.wake();
  }

  async drain(): Promise<void> {
    await this.#setDraining(true);
  }

  async undrain(): Promise<void> {
    await this.#setDraining(false);
  }

  deregister(): Promise<void> {
    this.#leaving ??= this.#leave();
    return this.#leaving;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.deregister();
  }

  async #setDraining(isDraining: boolean): Promise<void> {
    if (this.#leaving !== undefined || this.#superseded) return;
    // Said first: a registration that is under way now says so too.
    this.#isDraining = isDraining;
    await this.#provider.drain(this.instance, isDraining, this.#stopping.signal);
  }

  #hearRemoval(reason: string): void {
    if (reason === 'replaced' || reason === 'suspect') this.#learn('doubted');
    else if (!hiding.has(reason)) this.#learn('removed');
  }

  /** A list without this instance: of another run of the registry, or because it is hidden from callers. */
  #hearAbsence(position: Position | undefined): void {
    if (position?.epoch !== this.#acceptedAt?.epoch) this.#learn('restarted');
    else if (!this.#isDraining) this.#learn('doubted');
  }

  /** What came before the answer, but happened after it. */
  #hearEarly(): void {
    const early = this.#early;
    this.#early = [];
    for (const message of early) {
      if (message.position?.epoch === (this.#acceptedAt?.epoch ?? Number.NaN)) this.hear(message);
    }
  }

  #learn(notice: Notice): void {
    const isNews = this.#notice === undefined;
    this.#notice = notice;
    if (isNews) this.#pause.wake();
  }

  /** Never rejects; `settle` gets the outcome of the first registration. */
  async #run(settle: (failure: Error | undefined) => void): Promise<void> {
    try {
      while (await this.#register()) {
        settle(undefined);
        if (!(await this.#beat())) break;
      }
    } catch (error) {
      settle(error as Error);
    }
    if (!this.#isStopped()) this.#listener.onEnded();
  }

  /** Tries until the registry accepts (true), or says that another process is this instance now (false). */
  async #register(): Promise<boolean> {
    this.#backoff.reset();
    for (;;) {
      try {
        const { signal } = this.#stopping;
        const accepted = await this.#provider.register(this.#description, this.#incarnation, signal);
        // A registry that restarted does not remember.
        if (this.#isDraining) await this.#provider.drain(accepted.instance, true, signal);
        this.#accept(accepted);
        return true;
      } catch (error) {
        if (this.#isStopped()) {
          this.#unanswered = this.#instance === undefined;
          throw closedError();
        }
        const refused = error instanceof DiscoveryError && error.code === 'ERR_DISCOVERY_REJECTED';
        if (refused && this.#instance === undefined) throw error;
        if (isTakenOver(error)) return this.#supersede();
        const retryInMs = this.#backoff.next(retryAfter(error));
        const { name, port } = this.#description;
        this.#settings.emit({ type: 'register-failed', name, port, error, retryInMs });
        await this.#retryIn(retryInMs);
        if (this.#isStopped()) throw closedError();
      }
    }
  }

  #accept({ instance, position }: Acceptance): void {
    this.#instance = instance;
    this.#acceptedAt = position;
    this.#settings.emit({ type: 'registered', instance });
    this.#session.open(instance);
    this.#listener.onAccepted();
  }

  /** Beats until the registry lost this registration (true: register again) or it ended (false). */
  async #beat(): Promise<boolean> {
    this.#backoff.reset();
    this.#notice = undefined;
    this.#beating = true;
    this.#hearEarly();
    try {
      for (let outcome: Beat = 'alive'; ;) {
        if (outcome === 'alive') await this.#rest();
        if (this.#isStopped()) return false;
        const notice = this.#takeNotice();
        outcome =
          notice === 'removed' || notice === 'restarted' ? this.#lose(notice) : await this.#beatOnce();
        if (outcome === 'lost' || outcome === 'ended') return outcome === 'lost';
      }
    } finally {
      this.#beating = false;
    }
  }

  /** Sleeps to the next heartbeat, or until the watch has news. */
  async #rest(): Promise<void> {
    const intervalMs = this.instance.heartbeatInterval * 1000;
    if (this.#notice === undefined) await this.#pause.wait(this.#heartbeats.restMs(intervalMs));
    if (this.#isStopped() || this.#notice === undefined) return;
    const spreadMs = this.#notice === 'restarted' ? Math.min(intervalMs, herdJitterMs) : returnJitterMs;
    await this.#pause.wait(this.#settings.random() * spreadMs);
  }

  async #beatOnce(): Promise<Beat> {
    try {
      await this.#heartbeats.send(this.instance, this.#stopping.signal);
      this.#backoff.reset();
      return 'alive';
    } catch (error) {
      if (this.#isStopped()) return 'ended';
      const status = error instanceof DiscoveryError ? error.status : undefined;
      if (isTakenOver(error)) {
        this.#supersede();
        return 'ended';
      }
      if (status === 404) return this.#lose('unknown');
      // A heartbeat that failed is not tried less often than one that did not: its lease is running out.
      const intervalMs = this.instance.heartbeatInterval * 1000;
      const retryInMs = Math.min(this.#backoff.next(retryAfter(error)), intervalMs);
      this.#settings.emit({ type: 'heartbeat-failed', instance: this.instance, error, retryInMs });
      await this.#retryIn(retryInMs);
      return 'failed';
    }
  }

  #takeNotice(): Notice | undefined {
    const notice = this.#notice;
    this.#notice = undefined;
    return notice;
  }

  #lose(reason: 'unknown' | 'removed' | 'restarted'): Beat {
    this.#settings.emit({ type: 'registration-lost', instance: this.instance, reason });
    return 'lost';
  }

  #supersede(): false {
    this.#superseded = true;
    this.#session.close();
    this.#settings.emit({ type: 'superseded', instance: this.instance });
    return false;
  }

  async #retryIn(delayMs: number): Promise<void> {
    this.#retrying = true;
    await this.#pause.wait(delayMs);
    this.#retrying = false;
  }

  async #leave(): Promise<void> {
    this.#stopping.abort(closedError());
    this.#pause.wake();
    await this.#loop;
    await this.#sayGoodbye();
    this.#session.close();
    this.#listener.onEnded();
  }

  async #sayGoodbye(): Promise<void> {
    const instance = this.#instance;
    const listed = this.#unanswered ? this.#description : instance;
    if (listed === undefined || this.#superseded) return;
    // With its incarnation, so that a goodbye that comes late does not remove the successor.
    const failure = await this.#provider.deregister(listed, this.#incarnation).then(
      () => ({}),
      (error: unknown) => ({ error }),
    );
    if (instance !== undefined) this.#settings.emit({ type: 'deregistered', instance, ...failure });
  }

  #isStopped(): boolean {
    return this.#stopping.signal.aborted;
  }
}

function isTakenOver(error: unknown): boolean {
  return error instanceof DiscoveryError && error.status === 409;
}

function retryAfter(error: unknown): number | undefined {
  return error instanceof DiscoveryError ? error.retryAfterMs : undefined;
}
