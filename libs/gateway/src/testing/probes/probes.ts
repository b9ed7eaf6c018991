import { failureProbes } from './failures.ts';
import { fieldProbes } from './fields.ts';
import type { Probe } from './probe.ts';
import { streamProbes } from './streams.ts';

/**
 * The probes, for the test of this gateway (`forward/probes.spec.ts`) and for the comparison with other proxies
 * (`bench/gateway-probes.bench.ts`).
 */
export const probes: readonly Probe[] = [...fieldProbes, ...failureProbes, ...streamProbes];
