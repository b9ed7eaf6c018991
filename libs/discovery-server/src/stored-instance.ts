import type { Instance } from '@mesh/discovery-client';
import type { HealthCheck } from './health-check.ts';
import { unprotected } from './instance-record.ts';
import type { InstanceRecord } from './instance-record.ts';

/** An instance with all that has to outlive this process. Times of leases are not in it: they begin anew. */
export interface StoredInstance {
  /** As it was listed. */
  readonly instance: Instance;
  readonly ownWeight?: number;
  readonly check?: HealthCheck;
  readonly isDraining?: true;
  readonly isUnhealthy?: true;
  readonly superseded?: readonly string[];
}

/** What to store of a record. */
export function storedOf(record: InstanceRecord): StoredInstance {
  const { instance, ownWeight, check, superseded } = record;
  return {
    instance,
    ...(ownWeight !== instance.weight && { ownWeight }),
    ...(check !== undefined && { check }),
    ...(record.has('draining') && { isDraining: true }),
    ...(record.has('unhealthy') && { isUnhealthy: true }),
    ...(superseded.length > 0 && { superseded }),
  };
}

/** The instance that was stored, with nothing that speaks against it: doubts and decisions are made anew. */
export function contentOf({ instance, ownWeight = instance.weight }: StoredInstance): Instance {
  return Object.freeze({
    ...unprotected(instance),
    metadata: Object.freeze(instance.metadata),
    weight: ownWeight,
    status: 'up',
  });
}
