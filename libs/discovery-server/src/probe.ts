import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import type { Instance } from '@mesh/discovery-client';
import { hostPort } from './address.ts';
import { checkGrpcHealth } from './grpc-health.ts';
import type { HealthCheck } from './health-check.ts';
import { isOwnUrl, mayConnect, probeLookup } from './probe-address.ts';
import { reachAddress } from './reach.ts';

/** Names the process that answers, so that a check does not take another one at the same address for it. */
export const incarnationHeader = 'x-mesh-incarnation';

/** One check of one instance. Answers whether it is well; rejects, or answers false, when it is not. */
export type Probe = (instance: Instance, check: HealthCheck, signal: AbortSignal) => Promise<boolean>;

/** The default: HTTP, TCP and gRPC as `check.type` says. */
export const probeInstance: Probe = async (instance, check, signal) => {
  switch (check.type) {
    case 'http':
      return await probeHttp(checkUrl(instance, check), instance.incarnation, signal);
    case 'grpc':
      return await checkGrpcHealth(instance, check.grpcService ?? '', signal);
    case 'tcp':
      return (await reachAddress(instance, check.timeoutMs ?? 2000)) === 'answered';
    case 'ttl':
      return true;
  }
};

/** Whether the registry asks about this instance at all: not by heartbeat alone, and never at a foreign address. */
export function isProbed(instance: Instance, check: HealthCheck | undefined): check is HealthCheck {
  if (check === undefined || check.type === 'ttl' || !mayConnect(instance.host)) return false;
  return check.type !== 'http' || isOwnUrl(checkUrl(instance, check), instance.host);
}

/** Where an HTTP check of an instance leads. */
export function checkUrl({ host, port, healthCheckUrl }: Instance, { path = '/health' }: HealthCheck): URL {
  return new URL(healthCheckUrl ?? `http://${hostPort(host, port)}${path}`);
}

/** 2xx within the time; redirects are not followed, the body is not read. */
function probeHttp(url: URL, incarnation: string, signal: AbortSignal): Promise<boolean> {
  const request = url.protocol === 'https:' ? requestHttps : requestHttp;
  return new Promise((resolve, reject) => {
    const asked = request(url, {
      agent: false,
      lookup: probeLookup,
      signal,
      headers: { 'user-agent': 'mesh-discovery', accept: '*/*', connection: 'close' },
    });
    asked.on('error', reject);
    asked.on('response', (response) => {
      const { statusCode = 0, headers } = response;
      const answers = headers[incarnationHeader];
      resolve(statusCode >= 200 && statusCode < 300 && (answers === undefined || answers === incarnation));
      response.destroy();
    });
    asked.end();
  });
}
