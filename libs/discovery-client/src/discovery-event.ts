import type { Instance } from './instance.ts';

/** What the client reports to `onEvent`; meant for logs and metrics. */
export type DiscoveryEvent =
  /** The registry answered after a time (or a beginning) without an answer. */
  | { readonly type: 'connected' }
  /** The registry stopped answering; the cache goes on. */
  | { readonly type: 'disconnected'; readonly error: unknown }
  /** The registry accepted a registration, for the first time or again. */
  | { readonly type: 'registered'; readonly instance: Instance }
  /** A registration failed and is tried again after `retryInMs`. */
  | {
      readonly type: 'register-failed';
      readonly name: string;
      readonly port: number;
      readonly error: unknown;
      readonly retryInMs: number;
    }
  /** A heartbeat failed and is tried again after `retryInMs`. */
  | {
      readonly type: 'heartbeat-failed';
      readonly instance: Instance;
      readonly error: unknown;
      readonly retryInMs: number;
    }
  /** The registry lost this registration; it registers again at once. */
  | {
      readonly type: 'registration-lost';
      readonly instance: Instance;
      readonly reason: 'unknown' | 'removed' | 'restarted';
    }
  /** Another process took this address over; this registration ended and sends no more heartbeats. */
  | { readonly type: 'superseded'; readonly instance: Instance }
  /** The registry sees by a connection that this instance lives; or does not any more, and it is opened again. */
  | { readonly type: 'session-open'; readonly instance: Instance }
  | { readonly type: 'session-lost'; readonly instance: Instance; readonly error: unknown }
  /** The goodbye was sent; `error` when the registry did not hear it, so that the lease has to run out. */
  | { readonly type: 'deregistered'; readonly instance: Instance; readonly error?: unknown }
  /** The list of a service changed. */
  | { readonly type: 'changed'; readonly name: string; readonly instances: readonly Instance[] }
  /** An answer lacks these instances and cannot be trusted to (a restarted registry, the guard); they stay for one lease (15 s at least). */
  | { readonly type: 'held'; readonly name: string; readonly instances: readonly Instance[] }
  /** A list could not be refreshed; the old one is served. */
  | { readonly type: 'refresh-failed'; readonly name: string; readonly error: unknown }
  /** The watch delivers for these services. */
  | { readonly type: 'watching'; readonly names: readonly string[] }
  /** The watch broke (or could not be opened) and is opened again after `retryInMs`. */
  | { readonly type: 'watch-lost'; readonly error: unknown; readonly retryInMs: number }
  /** The registry offers no watch; lists are refreshed by their time to live. */
  | { readonly type: 'watch-unsupported' }
  /** A list is not what the registry thinks it is; it is asked for anew. */
  | { readonly type: 'diverged'; readonly name: string }
  /** The lists could not be written down, or not be read. */
  | { readonly type: 'snapshot-failed'; readonly error: unknown };
