import { BlockList, isIP, type Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { valuesOf, without, type RawHeaders } from './hop-headers.ts';
import type { RequestHead } from './request-head.ts';

/** How a request tells where it came from. */
export interface ForwardedOptions {
  /** Proxies in front of the gateway that are believed, as addresses or CIDR blocks: `['10.0.0.0/8', '::1']`. Default: none. */
  readonly trustedProxies?: readonly string[];
  /** Tells the instance who the certificate of a client names (mutual TLS), as `X-Forwarded-Client-Cert: Subject="CN=..."`. Default false. */
  readonly clientCertificate?: boolean;
  /** Also writes RFC 7239's `Forwarded`. Default false. */
  readonly forwarded?: boolean;
}

/** The peer of a connection as far as it matters here; found once for each connection. */
interface Peer {
  readonly address: string;
  readonly isTrusted: boolean;
  readonly protocol: 'http' | 'https';
  /** Subject of the certificate that the client has shown and the server has verified. */
  readonly subject: string | undefined;
}

/**
 * X-Forwarded-For, -Proto and -Host, and `Forwarded` if wanted. What a client says of itself is dropped; what a trusted proxy says is
 * kept, and the proxy's own address is appended to it.
 */
export class ForwardedFields {
  readonly #trusted: BlockList | undefined;
  readonly #writesForwarded: boolean;
  readonly #writesCertificate: boolean;
  readonly #peers = new WeakMap<Socket, Peer>();

  /** @throws RangeError when a trusted proxy is neither an address nor a CIDR block. */
  constructor({ trustedProxies = [], forwarded = false, clientCertificate = false }: ForwardedOptions = {}) {
    this.#trusted = trustedProxies.length === 0 ? undefined : blockList(trustedProxies);
    this.#writesForwarded = forwarded;
    this.#writesCertificate = clientCertificate;
  }

  /**
   * Address of the client: that of the peer, or, going from right to left through what trusted proxies noted, the first that is not
   * trusted itself. An entry that is no address ends the search.
   */
  clientAddress(socket: Socket, rawHeaders: RawHeaders): string {
    const peer = this.#peer(socket);
    if (!peer.isTrusted) return peer.address;
    let client = peer.address;
    const entries = valuesOf(rawHeaders, 'x-forwarded-for').join(',').split(',');
    for (const entry of entries.reverse()) {
      const address = addressIn(entry.trim());
      if (address === undefined) break;
      client = address;
      if (!this.#trusts(address)) break;
    }
    return client;
  }

  /** Adds the fields to those of a request. */
  write(head: RequestHead, socket: Socket): void {
    const { headers, host } = head;
    const peer = this.#peer(socket);
    const told = peer.isTrusted ? head.forwarded : undefined;
    const before = peer.isTrusted ? head.forwardedFor : undefined;
    if (told !== undefined) headers.push(...without(told, forwardedOnly));
    if (!has(told, 'x-forwarded-proto')) headers.push('x-forwarded-proto', peer.protocol);
    if (peer.address !== '') headers.push('x-forwarded-for', appended(before, peer.address));
    if (host !== undefined && host !== '' && !has(told, 'x-forwarded-host')) {
      headers.push('x-forwarded-host', host);
    }
    if (peer.subject !== undefined) headers.push('x-forwarded-client-cert', `Subject="${peer.subject}"`);
    if (!this.#writesForwarded) return;
    const chain = told === undefined ? [] : valuesOf(told, 'forwarded');
    headers.push(
      'forwarded',
      appended(chain.length === 0 ? undefined : chain.join(', '), element(peer, host)),
    );
  }

  #peer(socket: MaybeSecure): Peer {
    const known = this.#peers.get(socket);
    if (known !== undefined) return known;
    const address = plainAddress(socket.remoteAddress ?? '');
    const protocol = socket.encrypted === true ? 'https' : 'http';
    const subject = this.#writesCertificate && socket.authorized === true ? subjectOf(socket) : undefined;
    const peer: Peer = { address, isTrusted: this.#trusts(address), protocol, subject };
    if (address !== '') this.#peers.set(socket, peer);
    return peer;
  }

  #trusts(address: string): boolean {
    const family = this.#trusted === undefined ? 0 : isIP(address);
    return family !== 0 && this.#trusted?.check(address, family === 6 ? 'ipv6' : 'ipv4') === true;
  }
}

/** A connection that may be one of TLS. */
type MaybeSecure = Socket & Partial<Pick<TLSSocket, 'encrypted' | 'authorized' | 'getPeerCertificate'>>;

/** `CN=a,O=b`, as RFC 2253 orders and escapes it; undefined when it holds what a quoted string may not. */
function subjectOf(socket: MaybeSecure): string | undefined {
  const subject = socket.getPeerCertificate?.().subject as NodeJS.Dict<string | string[]> | undefined;
  if (subject === undefined) return undefined;
  const parts = Object.entries(subject).flatMap(([name, values = []]) =>
    [values].flat().map((value) => `${name}=${value.replace(/[,+"\\<>;=]/g, '\\$&')}`),
  );
  const text = parts.reverse().join(',').replace(/[\\"]/g, '\\$&');
  return /^[\x20-\x7e]+$/.test(text) ? text : undefined;
}

const forwardedOnly: ReadonlySet<string> = new Set(['forwarded']);

function has(told: readonly string[] | undefined, name: string): boolean {
  return told !== undefined && valuesOf(told, name).length > 0;
}

function appended(before: string | undefined, value: string): string {
  return before === undefined ? value : `${before}, ${value}`;
}

/** One element of `Forwarded` (RFC 7239, 4). */
function element({ address, protocol }: Peer, host: string | undefined): string {
  const node = address === '' ? 'unknown' : address.includes(':') ? `"[${address}]"` : address;
  const named = host !== undefined && /^[\w.:[\]-]+$/.test(host) ? `;host="${host}"` : '';
  return `for=${node}${named};proto=${protocol}`;
}

/** The address in an entry of X-Forwarded-For, which may have a port; undefined when there is none. */
function addressIn(entry: string): string | undefined {
  const bare = /^\[(.*)\](?::\d+)?$/.exec(entry)?.[1] ?? /^([\d.]+):\d+$/.exec(entry)?.[1] ?? entry;
  return isIP(bare) === 0 ? undefined : plainAddress(bare);
}

/** A dual-stack socket shows an IPv4 peer as `::ffff:192.0.2.1`; every list of addresses knows it as `192.0.2.1`. */
function plainAddress(address: string): string {
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice('::ffff:'.length) : address;
}

function blockList(entries: readonly string[]): BlockList {
  const list = new BlockList();
  for (const entry of entries) {
    const [address = '', prefix] = entry.split('/');
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
    const bits = Number(prefix ?? (family === 'ipv6' ? 128 : 32));
    const isValid = isIP(address) !== 0 && prefix !== '' && Number.isInteger(bits) && bits >= 0;
    if (!isValid || bits > (family === 'ipv6' ? 128 : 32)) {
      throw new RangeError(
        `gateway: trustedProxies must be addresses or CIDR blocks, got ${JSON.stringify(entry)}`,
      );
    }
    list.addSubnet(address, bits, family);
  }
  return list;
}
