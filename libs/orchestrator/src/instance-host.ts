import type { BackOffOptions } from './back-off.ts';
import type { MeshEvent } from './mesh-event.ts';
import type { GroupExit, ProcessGroupOptions } from './process-group.ts';
import type { GateOptions, GateResult, Probe } from './readiness.ts';

/** The part of a ProcessGroup that an instance drives. */
export interface Group {
  readonly pid: number | undefined;
  readonly exited: Promise<GroupExit>;
  stop(timeoutMs: number): Promise<GroupExit>;
  kill(): void;
}

/** What may be answered when an instance asks for its port. */
export type PortClaim =
  | { readonly port: number }
  /** Somebody else has the port: the reason to wait. */
  | { readonly blocked: string };

/** What an instance needs to know before each start. */
export interface Launch {
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  /** Where its registration shows; undefined when registration is not awaited. */
  readonly registrationUrl: string | undefined;
}

/** One process in the eyes of its host. */
export interface HostedInstance {
  readonly instance: string;
  readonly service: string;
  readonly port: number;
}

/** The world around an instance, given by the mesh; tests give a world of their own. */
export interface InstanceHost {
  readonly backOff: BackOffOptions;
  emit(event: MeshEvent): void;
  /** @param movable the instance may get another port, because it never listened on this one. */
  claimPort(instance: HostedInstance, movable: boolean): Promise<PortClaim>;
  prepare(instance: HostedInstance): Launch;
  createGroup(options: ProcessGroupOptions): Group;
  waitForGate(probe: Probe, options: GateOptions): Promise<GateResult>;
  now(): number;
  /** Calls back after a time; the answer cancels it. */
  after(ms: number, callback: () => void): () => void;
}
