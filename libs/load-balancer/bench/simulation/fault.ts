/** What a server does with its work at one moment. */
export type Behaviour = 'well' | 'down' | 'silent';

export interface Setting {
  readonly clients: number;
  readonly servers: number;
  /** Requests that a server works on at once; more wait in line, first come, first served. */
  readonly slots: number;
  /** Mean time of the work of a request (Erlang-4). */
  readonly serviceMs: number;
  /** Part of all the slots that the requests keep busy while all is well. */
  readonly loadRatio: number;
  /** After this time a client gives up; what waits is dropped, what runs keeps its slot. */
  readonly timeoutMs: number;
  readonly healthyMs: number;
  readonly faultMs: number;
  /** The run ends earlier once the fair share is regained. */
  readonly recoveryMs: number;
}

/** Something that goes wrong while `0 <= sinceMs < faultMs`. The last server is the faulty one where only one is. */
export interface Fault {
  readonly name: string;
  /** Requests fail by the fault itself, so errors count. */
  readonly breaks: boolean;
  /** The faulty server is not there before the fault. */
  readonly joins?: true;
  behaviour?(server: number, sinceMs: number, setting: Setting): Behaviour;
  /** Part of the requests that fail when their work is done; default 0. */
  failureRatio?(server: number, setting: Setting): number;
  /** Factor of the time that work takes when it starts now; default 1. */
  slowness?(server: number, sinceMs: number, setting: Setting): number;
  /** When work that starts now is finished, for a fault that stops servers in between. */
  finishMs?(server: number, sinceMs: number, workMs: number, setting: Setting): number;
}

const restartMs = 1_000;
const pauseMs = 300;
const pauseEveryMs = 12_000;

const isLast = (server: number, { servers }: Setting) => server === servers - 1;

/** Refuses in 0.2 ms, like a process that is gone: the trap for whoever counts open requests or answer times only. */
export const failsFast: Fault = {
  name: 'fails fast',
  breaks: true,
  behaviour: (server, _, setting) => (isLast(server, setting) ? 'down' : 'well'),
};

/** Does the work, then fails every second request. */
export const halfErrors: Fault = {
  name: 'half errors',
  breaks: true,
  failureRatio: (server, setting) => (isLast(server, setting) ? 0.5 : 0),
};

/** Takes requests and never answers: only the timeout of the client ends them. */
export const blackHole: Fault = {
  name: 'black hole',
  breaks: true,
  behaviour: (server, _, setting) => (isLast(server, setting) ? 'silent' : 'well'),
};

/** Takes five times as long. */
export const slow: Fault = {
  name: '5x slow',
  breaks: false,
  slowness: (server, _, setting) => (isLast(server, setting) ? 5 : 1),
};

/** Every server stops for 300 ms every 12 s, evenly staggered: at any time one in forty stands still. */
export const pauses: Fault = {
  name: 'GC pauses',
  breaks: false,
  finishMs(server, sinceMs, workMs, { servers, faultMs }) {
    const phaseMs = (sinceMs + pauseEveryMs * (1 - server / servers)) % pauseEveryMs;
    let leftMs = workMs;
    let atMs = sinceMs + Math.max(0, pauseMs - phaseMs);
    let untilPauseMs = pauseEveryMs - Math.max(pauseMs, phaseMs);
    while (leftMs >= untilPauseMs && atMs + untilPauseMs < faultMs) {
      atMs += untilPauseMs + pauseMs;
      leftMs -= untilPauseMs;
      untilPauseMs = pauseEveryMs - pauseMs;
    }
    return atMs + leftMs;
  },
};

/** Every server is down for a second, one after the other, nobody announces it: what a roll-out without draining does. */
export const rollingRestart: Fault = {
  name: 'rolling restart',
  breaks: true,
  behaviour(server, sinceMs, { servers, faultMs }) {
    const downMs = sinceMs - (server * (faultMs - restartMs)) / Math.max(1, servers - 1);
    return downMs >= 0 && downMs < restartMs ? 'down' : 'well';
  },
};

/** A server joins that takes ten times as long at first and warms up for ten seconds. */
export const coldStart: Fault = {
  name: 'cold start',
  breaks: false,
  joins: true,
  slowness: (server, sinceMs, setting) => (isLast(server, setting) ? Math.max(1, 10 - sinceMs * 0.9e-3) : 1),
};

/** Every server fails 1 % of its requests: noise that nobody can balance away and that must not make anybody nervous. */
export const noise: Fault = { name: '1 % errors everywhere', breaks: false, failureRatio: () => 0.01 };

export const faults: readonly Fault[] = [
  failsFast,
  halfErrors,
  blackHole,
  slow,
  pauses,
  rollingRestart,
  coldStart,
  noise,
];
