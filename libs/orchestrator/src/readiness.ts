import { get } from 'node:http';
import { connect } from 'node:net';
import { setTimeout as pauseFor } from 'node:timers/promises';

/** What a process passes on its way from spawned to ready. */
export type Gate = 'listening' | 'healthy' | 'registered';

/** Looks once. @returns undefined when the gate is passed, else why not yet. Never rejects. */
export type Probe = () => Promise<string | undefined>;

/** How long and how often to look. */
export interface GateOptions {
  /** Ends the wait at once. */
  readonly signal: AbortSignal;
  /** Longest wait, in ms; Infinity waits for ever. */
  readonly timeoutMs: number;
  /** Default: performance. */
  readonly clock?: { now(): number };
  /** Default: setTimeout of node:timers/promises. */
  readonly pause?: (ms: number, signal: AbortSignal) => Promise<unknown>;
}

/** Passed; or the last thing in the way when the time was over; or aborted. */
export type GateResult =
  | { readonly outcome: 'passed' }
  | { readonly outcome: 'timeout'; readonly reason: string }
  | { readonly outcome: 'aborted' };

const answerWithinMs = 2000;
const largestAnswer = 4 * 1024 * 1024;

/**
 * Probes until the gate is passed: every 25 ms at first, then at a twentieth of the time already waited, at most
 * every 500 ms. So looking costs little, and the answer is at most 5 % late.
 */
export async function waitForGate(probe: Probe, options: GateOptions): Promise<GateResult> {
  const { signal, timeoutMs, clock = performance } = options;
  const pause = options.pause ?? ((ms, ended) => pauseFor(ms, undefined, { signal: ended }));
  const startedAt = clock.now();
  const isOver = (): boolean => signal.aborted;
  while (!isOver()) {
    const reason = await probe();
    if (isOver()) break;
    if (reason === undefined) return { outcome: 'passed' };
    const waitedMs = clock.now() - startedAt;
    if (waitedMs >= timeoutMs) return { outcome: 'timeout', reason };
    const delayMs = Math.min(Math.max(25, waitedMs / 20), 500, timeoutMs - waitedMs);
    await pause(delayMs, signal).catch(() => undefined);
  }
  return { outcome: 'aborted' };
}

/** Somebody accepts TCP connections on 127.0.0.1. */
export function probeListening(port: number): Probe {
  return () =>
    new Promise((resolve) => {
      const socket = connect({ port, host: '127.0.0.1' });
      const finish = (reason?: string): void => {
        socket.destroy();
        resolve(reason);
      };
      socket.setTimeout(answerWithinMs, () => {
        finish(`port ${port} does not accept connections`);
      });
      socket.once('connect', () => {
        finish();
      });
      socket.on('error', () => {
        finish(`nothing listens on port ${port}`);
      });
    });
}

/** A URL answers 200. */
export function probeHealth(url: string): Probe {
  return async () => {
    const answer = await request(url);
    if ('failure' in answer) return `${url}: ${answer.failure}`;
    return answer.status === 200 ? undefined : `${url} answered ${answer.status}`;
  };
}

/**
 * The registry lists a port, and has heard of it since `since` (ms since the epoch): what a process left there
 * when it crashed does not count for the one that follows it.
 */
export function probeRegistered(url: string, port: number, since: number): Probe {
  return async () => {
    const answer = await request(url);
    if ('failure' in answer) return `${url}: ${answer.failure}`;
    if (answer.status !== 200) return `${url} answered ${answer.status}`;
    const found = registrationsIn(answer.body).some((entry) => entry.port === port && isSince(entry, since));
    return found ? undefined : `${url} does not list port ${port}`;
  };
}

interface Registration {
  readonly port?: unknown;
  readonly registeredAt?: unknown;
  readonly lastHeartbeat?: unknown;
}

function registrationsIn(body: string): readonly Registration[] {
  try {
    const { instances } = JSON.parse(body) as { instances?: unknown };
    const entries: readonly unknown[] = Array.isArray(instances) ? instances : [];
    return entries.filter((entry) => typeof entry === 'object' && entry !== null);
  } catch {
    return [];
  }
}

function isSince({ registeredAt, lastHeartbeat }: Registration, since: number): boolean {
  const heardAt = [registeredAt, lastHeartbeat].flatMap((at) =>
    typeof at === 'string' ? Date.parse(at) : [],
  );
  return heardAt.length === 0 || heardAt.some((at) => at >= since);
}

type Answer = { readonly status: number; readonly body: string } | { readonly failure: string };

function request(url: string): Promise<Answer> {
  return new Promise((resolve) => {
    const call = get(
      url,
      { agent: false, headers: { accept: 'application/json', 'user-agent': 'mesh-orchestrator' } },
      (response) => {
        let body = '';
        response.setEncoding('utf8');
        response.on('data', (text: string) => {
          body += text;
          if (body.length > largestAnswer) call.destroy(new Error('the answer is too large'));
        });
        response.on('end', () => {
          resolve({ status: response.statusCode ?? 0, body });
        });
        response.on('error', fail);
      },
    );
    const timer = setTimeout(() => {
      call.destroy(new Error(`no answer within ${answerWithinMs} ms`));
    }, answerWithinMs);
    function fail(error: NodeJS.ErrnoException): void {
      resolve({ failure: error.code === 'ECONNREFUSED' ? 'connection refused' : error.message });
    }
    call.on('error', fail);
    call.on('close', () => {
      clearTimeout(timer);
      resolve({ failure: 'the connection was closed' });
    });
  });
}
