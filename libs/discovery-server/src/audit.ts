/** Something that somebody did, or was not allowed to do. Heartbeats and lookups are not told. */
export interface AuditEvent {
  readonly action: 'register' | 'deregister' | 'drain' | 'status' | 'weight' | 'refused';
  /** Name of the token, else the address. */
  readonly caller: string;
  /** `service/id`, or method and path of what was refused. */
  readonly target: string;
  /** ISO 8601. */
  readonly at: string;
  /** The decision, or the code of the refusal. */
  readonly detail?: string;
}

/** Hears of audit events. What it throws is dropped. */
export type AuditListener = (event: AuditEvent) => void;
