/** Loaded into the gateway of a soak to prove that the soak sees a leak: `soak-leak.mts?map` keeps something of every request. */
import { subscribe } from 'node:diagnostics_channel';
import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';

const kept = new Map<number, object>();
const hub = new EventEmitter().setMaxListeners(0);
process.setMaxListeners(0);

const leaks: Readonly<Record<string, (socket: Socket) => void>> = {
  /** An entry of 64 numbers or so. */
  map: () => void kept.set(kept.size, new Array(64).fill(kept.size)),
  /** On an emitter that nobody counts: only the heap tells. */
  emitter: () => void hub.on('change', () => kept.size),
  /** On the process, as a library does that wants to hear of its end. */
  listener: () => void process.on('exit', () => kept.size),
  /** On the connection of the client. */
  'socket-listener': (socket) => void socket.setMaxListeners(0).on('timeout', () => kept.size),
  timer: () => void setTimeout(() => kept.size, 86_400_000).unref(),
};

const leak = leaks[new URL(import.meta.url).search.slice(1)];
if (leak === undefined) throw new Error(`Error: leaks are ${Object.keys(leaks).join(', ')}`);
subscribe('http.server.request.start', (message) => {
  leak((message as { socket: Socket }).socket);
});
