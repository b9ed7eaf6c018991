import { Guardian } from './guardian.ts';
import type { GuardianOptions } from './guardian.ts';
import { platformTimers } from './platform-timers.ts';
import type { Probe } from './probe.ts';
import { Prober } from './prober.ts';
import type { Registry } from './registry.ts';
import { SessionHub } from './session-hub.ts';
import type { SessionHubOptions } from './session-hub.ts';

/** Options of a {@link Liveness}. */
export interface LivenessOptions extends Partial<GuardianOptions> {
  /** What a health check does. Default: HTTP, TCP and gRPC. `false`: nobody is checked. */
  readonly probe?: Probe | false;
  /**
   * Whether instances are checked at the pace that they ask for. Default true. `false`: only one whose lease ended in doubt
   * is; somebody else looks at the pace of `prober.checkOf` and tells `registry.vouch` and `registry.mark` what they found.
   */
  readonly paced?: boolean;
  readonly sessions?: SessionHubOptions;
}

/** The signals of life of a registry's instances besides heartbeats: sessions, health checks, addresses. */
export class Liveness {
  readonly sessions: SessionHub;
  readonly guardian: Guardian;
  readonly prober: Prober | undefined;

  /** @throws RangeError naming an option that is out of range. */
  constructor(registry: Registry, options: LivenessOptions = {}) {
    const { probe, paced, timers = platformTimers } = options;
    this.prober = probe === false ? undefined : new Prober(registry, { probe, paced, timers });
    const ask = options.ask ?? ((identity) => this.prober?.ask(identity) ?? Promise.resolve(undefined));
    this.guardian = new Guardian(registry, { ...options, ask, timers });
    this.sessions = new SessionHub(
      registry,
      (identity, isBack) => void this.guardian.sessionLost(identity, isBack),
      { timers, ...options.sessions },
    );
  }

  /** Ends the sessions and stops everything it runs. */
  close(): void {
    this.sessions.close();
    this.guardian.close();
    this.prober?.close();
  }
}
