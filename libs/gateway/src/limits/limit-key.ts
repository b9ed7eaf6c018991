import { hash } from 'node:crypto';
import { soleValue } from '../auth/credentials.ts';
import type { Passage } from '../passage.ts';
import type { LimitBy } from './rate-limit-rules.ts';

/** Longest text that is a key as it stands. */
const longest = 128;

/**
 * What a limit counts by. Keys of different kinds never meet: each has its letter in front. Nothing that a client writes about its own
 * address is read; `clientAddress` is what the peer, or a proxy that is trusted, has.
 */
export function limitKey(by: LimitBy): (passage: Passage) => string {
  if (by === 'route') return () => 'r';
  if (by === 'address') return addressKeyOf;
  if (by === 'subject') return subjectKeyOf;
  const name = by.header.toLowerCase();
  return (passage) => {
    const value = soleValue(passage.request.raw.rawHeaders, name);
    return typeof value === 'string' ? `h:${short(value)}` : addressKeyOf(passage);
  };
}

function subjectKeyOf(passage: Passage): string {
  const { identity } = passage;
  if (identity === undefined) return addressKeyOf(passage);
  return `${identity.by === 'jwt' ? 's' : 'k'}:${short(identity.subject)}`;
}

/** Long texts take no more room than short ones. */
function short(text: string): string {
  return text.length <= longest ? text : `#${hash('sha256', text)}`;
}

function addressKeyOf({ clientAddress }: Passage): string {
  return `a:${addressKey(clientAddress)}`;
}

/**
 * One key for one client: an IPv4 address as it is, also when it is written as IPv6 (`::ffff:192.0.2.1`); of an IPv6 address the
 * /64, because that is what one subscriber is given (RFC 6177): with all its addresses it would have 2^64 limits.
 */
export function addressKey(address: string): string {
  if (!address.includes(':')) return address;
  const groups = groupsOf(address);
  if (groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff) {
    const [high = 0, low = 0] = groups.slice(6);
    return [high >> 8, high & 255, low >> 8, low & 255].join('.');
  }
  return groups
    .slice(0, 4)
    .map((group) => group.toString(16))
    .join(':');
}

/** The eight groups of an IPv6 address, as numbers. */
function groupsOf(address: string): number[] {
  const [text = ''] = address.split('%');
  const [head = '', tail] = text.split('::');
  const before = readGroups(head);
  if (tail === undefined) return before;
  const after = readGroups(tail);
  return [
    ...before,
    ...Array.from({ length: Math.max(0, 8 - before.length - after.length) }, () => 0),
    ...after,
  ];
}

function readGroups(text: string): number[] {
  return text === ''
    ? []
    : text
        .split(':')
        .flatMap((group) => (group.includes('.') ? readDotted(group) : [Number.parseInt(group, 16)]));
}

function readDotted(text: string): number[] {
  const [a = 0, b = 0, c = 0, d = 0] = text.split('.').map(Number);
  return [a * 256 + b, c * 256 + d];
}
