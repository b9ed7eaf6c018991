import { wholeNumber } from '../range.ts';

/** Upper bounds of the latency buckets, in ms; the last bucket has none. */
export const bucketBoundsMs = [1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000] as const;

/** Names of the status classes; the place is the hundreds of the status, 0 for a client that left before its answer. */
export const statusClasses = ['aborted', '1xx', '2xx', '3xx', '4xx', '5xx'] as const;

/** What stands for all that there is no room for. */
export const others = 'other';

/** Bounds of {@link RouteMetrics}. */
export interface RouteMetricsOptions {
  /** Most pairs of route and service. Default 500; what is beyond is counted as `other`. */
  readonly maxSeries?: number;
  /** Most instances of one pair. Default 100; what is beyond is counted as `other`. */
  readonly maxInstances?: number;
}

/** Requests to one instance by status class. */
class InstanceCounts {
  readonly byClass = new Float64Array(statusClasses.length);
  /** Whether a request has ended here since the last time that room was made. */
  isUsed = true;

  add(other: InstanceCounts): void {
    for (let index = 0; index < statusClasses.length; index++) {
      this.byClass[index] = (this.byClass[index] ?? 0) + (other.byClass[index] ?? 0);
    }
  }
}

/** The counts of one route and service. */
export class RouteSeries {
  readonly route: string;
  readonly service: string;
  /** Requests by latency; a request is in one bucket alone. */
  readonly buckets = new Float64Array(bucketBoundsMs.length + 1);
  readonly instances = new Map<string, InstanceCounts>();
  inFlight = 0;
  /** Sum of the latencies, in ms. */
  totalMs = 0;
  /** Body bytes to instances and from them. */
  bytesSent = 0;
  bytesReceived = 0;
  isUsed = true;
  readonly #maxInstances: number;

  constructor(route: string, service: string, maxInstances: number) {
    this.route = route;
    this.service = service;
    this.#maxInstances = maxInstances;
  }

  /**
   * Counts a request that has ended.
   *
   * @param status of the answer; 0 for a client that left before it.
   * @param ms since `begin`.
   * @param instance id of the instance that answered, `''` when none did.
   */
  end(status: number, ms: number, instance = ''): void {
    this.inFlight--;
    this.isUsed = true;
    this.totalMs += ms;
    let bucket = 0;
    while (ms > (bucketBoundsMs[bucket] ?? Infinity)) bucket++;
    this.buckets[bucket] = (this.buckets[bucket] ?? 0) + 1;
    const counts = this.#countsOf(instance);
    const index = (status / 100) | 0;
    counts.byClass[index] = (counts.byClass[index] ?? 0) + 1;
    counts.isUsed = true;
  }

  /** Adds another series to this one. */
  add(other: RouteSeries): void {
    this.inFlight += other.inFlight;
    this.totalMs += other.totalMs;
    this.bytesSent += other.bytesSent;
    this.bytesReceived += other.bytesReceived;
    other.buckets.forEach((count, index) => (this.buckets[index] = (this.buckets[index] ?? 0) + count));
    for (const [instance, counts] of other.instances) this.#countsOf(instance).add(counts);
  }

  /** Makes room: where all of it is taken, instances that were not asked since the last time become `other`. */
  makeRoom(): void {
    if (this.instances.size < this.#maxInstances) return;
    forgetUnused(this.instances, (counts) => {
      this.#countsOf(others).add(counts);
    });
  }

  #countsOf(instance: string): InstanceCounts {
    const known = this.instances.get(instance);
    if (known !== undefined) return known;
    if (this.instances.size >= this.#maxInstances && instance !== others) return this.#countsOf(others);
    const counts = new InstanceCounts();
    this.instances.set(instance, counts);
    return counts;
  }
}

/**
 * Counts requests by route, service and instance. Made for the hot path: two look-ups and a few additions in typed arrays, no
 * object for a request. Labels are bounded: a caller can choose names, and instances come and go.
 *
 * @throws RangeError when an option is out of range.
 * @example
 * const series = metrics.begin('users', 'user-service');
 * series.end(200, 12.5, 'user-service-4000');
 */
export class RouteMetrics {
  readonly #routes = new Map<string, Map<string, RouteSeries>>();
  readonly #rest: RouteSeries;
  readonly #maxSeries: number;
  readonly #maxInstances: number;
  #size = 0;

  constructor({ maxSeries = 500, maxInstances = 100 }: RouteMetricsOptions = {}) {
    this.#maxSeries = wholeNumber('routeMetrics: maxSeries', maxSeries, 1);
    this.#maxInstances = wholeNumber('routeMetrics: maxInstances', maxInstances, 1);
    this.#rest = new RouteSeries(others, others, this.#maxInstances);
  }

  /** Counts a request that begins. Call `end` of what it returns, once. */
  begin(route: string, service: string): RouteSeries {
    const series = this.#routes.get(route)?.get(service) ?? this.#add(route, service);
    series.inFlight++;
    return series;
  }

  /** What has been counted. Where all of the room is taken, what was not used since the last reading becomes `other`. */
  read(): RouteSeries[] {
    if (this.#size >= this.#maxSeries) this.#makeRoom();
    const all = [...this.#routes.values()].flatMap((services) => [...services.values()]);
    if (this.#rest.totalMs > 0 || this.#rest.inFlight > 0) all.push(this.#rest);
    for (const series of all) series.makeRoom();
    return all;
  }

  #add(route: string, service: string): RouteSeries {
    if (this.#size >= this.#maxSeries) return this.#rest;
    let services = this.#routes.get(route);
    if (services === undefined) this.#routes.set(route, (services = new Map<string, RouteSeries>()));
    const series = new RouteSeries(route, service, this.#maxInstances);
    services.set(service, series);
    this.#size++;
    return series;
  }

  #makeRoom(): void {
    for (const [route, services] of this.#routes) {
      forgetUnused(services, (series) => {
        this.#rest.add(series);
        this.#size--;
      });
      if (services.size === 0) this.#routes.delete(route);
    }
  }
}

/** Takes out what was not used since the last call, and has nothing under way. */
function forgetUnused<T extends { isUsed: boolean; readonly inFlight?: number }>(
  map: Map<string, T>,
  fold: (forgotten: T) => void,
): void {
  for (const [key, value] of map) {
    if (!value.isUsed && (value.inFlight ?? 0) === 0 && key !== others) {
      map.delete(key);
      fold(value);
    }
    value.isUsed = false;
  }
}
