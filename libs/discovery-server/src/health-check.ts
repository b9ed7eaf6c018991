/** How the registry finds out whether an instance does its work. Bounds are those of the schema of `POST /register`. */
export interface HealthCheck {
  /**
   * - `http`: GET of `healthCheckUrl`, or of `path` at its address; 2xx is well.
   * - `tcp`: a connection to its address.
   * - `grpc`: `grpc.health.v1.Health/Check` without TLS at its address; SERVING is well.
   * - `ttl`: never asked; its heartbeats say `healthy`.
   */
  readonly type: 'http' | 'tcp' | 'grpc' | 'ttl';
  /** For `http` without `healthCheckUrl`. Default `/health`. */
  readonly path?: string | undefined;
  /** For `grpc`: the service to ask about. Default the whole server. */
  readonly grpcService?: string | undefined;
  /** Milliseconds between two checks. Default 10 000. */
  readonly intervalMs?: number | undefined;
  /** Milliseconds for one. Default 2000, at most the interval. */
  readonly timeoutMs?: number | undefined;
  /** Good answers in a row that end `down`. Default 2. */
  readonly rise?: number | undefined;
  /** Bad ones in a row that make it `down`. Default 3. */
  readonly fall?: number | undefined;
}
