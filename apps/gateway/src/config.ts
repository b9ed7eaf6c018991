import { strategies, type StrategyName } from '@mesh/service-client';
import { durationMs, integer, port, serviceSettings } from '@mesh/service-kit';
import { z } from 'zod';

/** The environment of the API gateway. */
export const gatewayConfig = z.object({
  ...serviceSettings,
  PORT: port(8000),
  /** How an instance is picked: a strategy of `@mesh/load-balancer`. */
  LOAD_BALANCING: z.enum(Object.keys(strategies) as StrategyName[]).default('adaptive'),
  /** Failures in the window that open the circuit of an upstream. */
  CIRCUIT_MAXIMUM_FAILURES: integer(3, { min: 1, max: 1000 }),
  CIRCUIT_TIME_WINDOW_MS: integer(30_000, { min: 1, max: 86_400_000 }),
  /** How long an open circuit waits before it tries again. */
  CIRCUIT_RESET_TIMEOUT_MS: integer(30_000, { min: 1, max: 86_400_000 }),
  /** File of the routes, YAML or JSON; followed while the gateway runs, and read again on SIGHUP. Default: those of `routes.ts`. */
  GATEWAY_ROUTES: z.string().min(1).max(4096).optional(),
  /** Longest wait for the head of one answer, 0 for any; another instance is tried after it. */
  ATTEMPT_TIMEOUT_MS: durationMs(5_000),
});

export type GatewayConfig = z.output<typeof gatewayConfig>;
