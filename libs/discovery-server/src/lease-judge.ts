import type { InstanceRecord } from './instance-record.ts';
import type { ServiceEntry } from './service-entry.ts';

/**
 * What becomes of an instance whose lease ended: `remove` it, hide it as `suspect` for as long again, keep it listed and
 * marked (`protect`), or `wait` as long again without telling anybody.
 */
export type LeaseVerdict = 'remove' | 'suspect' | 'protect' | 'wait';

/** Decides at once, or leaves it to the next judge (undefined). Must change nothing itself. `nowMs` is the leases' time. */
export type LeaseJudge = (
  record: InstanceRecord,
  service: ServiceEntry,
  nowMs: number,
) => LeaseVerdict | undefined;
