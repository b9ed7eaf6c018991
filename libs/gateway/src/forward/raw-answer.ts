import { validateHeaderName, validateHeaderValue, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';

/**
 * Writes a 1xx head as it came. It is news of its connection only as long as the answer stands first in line, and nothing to a client of
 * HTTP/1.0 (RFC 9110, 15.2); otherwise it is dropped, as anyone may.
 */
export function writeInterim(
  { socket, req }: ServerResponse,
  status: number,
  rawHeaders: readonly string[],
): void {
  if (socket?.writable !== true || req.httpVersionMinor === 0) return;
  socket.write(headText(`${status} ${status === 103 ? 'Early Hints' : 'Interim'}`, rawHeaders), 'latin1');
}

/** Tells a client that its connection speaks WebSocket from here on. */
export function writeSwitch(socket: Duplex, rawHeaders: readonly string[]): void {
  const switching = ['Connection', 'Upgrade', 'Upgrade', 'websocket'];
  socket.write(headText('101 Switching Protocols', [...switching, ...rawHeaders]), 'latin1');
}

/** Flat pairs one by one, as Node's `addTrailers` takes them. */
export function pairsOf(raw: readonly string[]): [string, string][] {
  const pairs: [string, string][] = [];
  for (let at = 0; at + 1 < raw.length; at += 2) pairs.push([raw[at] ?? '', raw[at + 1] ?? '']);
  return pairs;
}

/** @throws TypeError for a field that would not be one field on the wire. */
function headText(status: string, rawHeaders: readonly string[]): string {
  let text = `HTTP/1.1 ${status}\r\n`;
  for (const [name, value] of pairsOf(rawHeaders)) {
    validateHeaderName(name);
    validateHeaderValue(name, value);
    text += `${name}: ${value}\r\n`;
  }
  return `${text}\r\n`;
}
