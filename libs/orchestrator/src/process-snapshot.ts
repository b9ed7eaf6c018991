import type { ProcessState } from './mesh-event.ts';
import type { Gate } from './readiness.ts';

/** One process of a mesh as it stands; frozen. */
export interface ProcessSnapshot {
  /** `user-service-4001`. */
  readonly instance: string;
  /** Key in the configuration. */
  readonly service: string;
  readonly port: number | undefined;
  /** `http://127.0.0.1:<port>`. */
  readonly url: string | undefined;
  readonly pid: number | undefined;
  readonly state: ProcessState;
  /** Restarts after a crash. */
  readonly restarts: number;
  /** Time from spawn to each gate passed in this life, in ms. */
  readonly gates: Readonly<Partial<Record<Gate, number>>>;
  /** Time from spawn to ready in this life, in ms. */
  readonly readyMs: number | undefined;
  /** Why it is in this state, where that is not plain. */
  readonly reason: string | undefined;
}
