import { numberIn } from './options.ts';

/** What `zone` of a balancer takes. */
export interface ZoneOptions {
  /** The zone of the caller. */
  readonly name: string;
  /** Part of all callers that are in this zone, 0 to 1; default: the zones have equally many. */
  readonly callersRatio?: number;
  /** With fewer healthy endpoints zones do not count; default 6. */
  readonly minEndpoints?: number;
  /** How much busier than the others the own zone may be before traffic leaves it, 0 to 1; default 0.1. Needs `utilizationRatio`s. */
  readonly headroomRatio?: number;
}

/** The state of one zone in one priority. */
export interface ZoneHealth {
  readonly isLocal: boolean;
  readonly healthy: number;
  /** Mean of what its endpoints report, 0 to 1; undefined while nobody has reported. */
  readonly utilizationRatio: number | undefined;
}

/** Part of the traffic that goes abroad even when all is well, so that one hears how busy it is there. */
const probeRatio = 0.03;

/** @throws RangeError naming an option that makes no sense. */
export function checkZone({ callersRatio, minEndpoints, headroomRatio }: ZoneOptions): void {
  if (callersRatio !== undefined) numberIn('zone.callersRatio', callersRatio, 0, 1);
  if (minEndpoints !== undefined) numberIn('zone.minEndpoints', minEndpoints, 0);
  if (headroomRatio !== undefined) numberIn('zone.headroomRatio', headroomRatio, 0, 1);
}

/**
 * What each zone gets of the traffic of one priority, summing to 1. Stays at home as far as that overloads nobody (Envoy's
 * zone-aware routing); when endpoints report how busy they are, as long as home has headroom.
 */
export function zoneShares(zones: readonly ZoneHealth[], options: ZoneOptions): readonly number[] {
  const { minEndpoints = 6, headroomRatio = 0.1, callersRatio = 1 / zones.length } = options;
  const total = sum(zones.map(({ healthy }) => healthy));
  const local = zones.find(({ isLocal }) => isLocal);
  const bySize = zones.map(({ healthy }) => healthy);
  if (local === undefined || local.healthy === 0 || zones.length < 2 || total < minEndpoints)
    return normalized(bySize);
  if (zones.every(({ healthy, utilizationRatio }) => healthy === 0 || utilizationRatio !== undefined))
    return byHeadroom(zones, local, headroomRatio);
  return byNumbers(zones, local, callersRatio);
}

/** As many stay as the local endpoints are a fair part of all; the rest goes where endpoints outnumber callers. */
function byNumbers(zones: readonly ZoneHealth[], local: ZoneHealth, callersRatio: number): readonly number[] {
  const total = sum(zones.map(({ healthy }) => healthy));
  const stay = callersRatio > 0 ? Math.min(1, local.healthy / total / callersRatio) : 1;
  const callersEach = (1 - callersRatio) / (zones.length - 1);
  const spare = zones.map(({ isLocal, healthy }) =>
    isLocal ? 0 : Math.max(0, healthy / total - callersEach),
  );
  return blend(zones, stay, spare);
}

function byHeadroom(
  zones: readonly ZoneHealth[],
  local: ZoneHealth,
  headroomRatio: number,
): readonly number[] {
  const free = zones.map(
    ({ healthy, utilizationRatio = 1 }) => healthy * Math.max(0.01, 1 - utilizationRatio),
  );
  const remote = zones.filter(({ isLocal, healthy }) => !isLocal && healthy > 0);
  const meanAbroad = sum(remote.map(({ utilizationRatio = 1 }) => utilizationRatio)) / remote.length;
  const isBusy = (local.utilizationRatio ?? 0) > meanAbroad + headroomRatio;
  if (isBusy) return normalized(free);
  const abroad = zones.map(({ isLocal }, at) => (isLocal ? 0 : (free[at] ?? 0)));
  return blend(zones, 1 - probeRatio, abroad);
}

/** That part stays at home, the rest is spread by weight; with nowhere to go all of it stays. */
function blend(zones: readonly ZoneHealth[], stay: number, abroad: readonly number[]): readonly number[] {
  const all = sum(abroad);
  return zones.map(({ isLocal }, at) => {
    if (isLocal) return all > 0 ? stay : 1;
    return all > 0 ? ((1 - stay) * (abroad[at] ?? 0)) / all : 0;
  });
}

function normalized(values: readonly number[]): readonly number[] {
  const all = sum(values);
  return values.map((value) => (all > 0 ? value / all : 1 / values.length));
}

function sum(values: readonly number[]): number {
  return values.reduce((all, value) => all + value, 0);
}
