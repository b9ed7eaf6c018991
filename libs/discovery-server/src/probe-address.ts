import { lookup } from 'node:dns';
import type { LookupAddress } from 'node:dns';
import { BlockList, isIP } from 'node:net';
import type { LookupFunction } from 'node:net';
import { addressKey, normalizeHost } from './address.ts';

// Where no service listens, and where clouds keep credentials (169.254.169.254): the registry calls nobody there.
const blocked = new BlockList();
blocked.addSubnet('169.254.0.0', 16);
blocked.addSubnet('0.0.0.0', 8);
blocked.addSubnet('224.0.0.0', 3);
blocked.addSubnet('fe80::', 10, 'ipv6');
blocked.addSubnet('ff00::', 8, 'ipv6');
blocked.addAddress('::', 'ipv6');
blocked.addAddress('fd00:ec2::254', 'ipv6');

/** Whether the registry may connect to this IP address. */
export function isProbeable(address: string): boolean {
  const plain = normalizeHost(address);
  const family = isIP(plain);
  return family !== 0 && !blocked.check(plain, family === 6 ? 'ipv6' : 'ipv4');
}

/** Whether a URL leads to the very host that was registered; `localhost` and `127.0.0.1` are one. */
export function isOwnUrl(url: URL, host: string): boolean {
  return addressKey(normalizeHost(url.hostname), 0) === addressKey(host, 0);
}

/** Resolves as `node:dns` does, and refuses what a name must not lead to; the `lookup` of `net.connect` and `http.request`. */
export const probeLookup: LookupFunction = (hostname, options, callback) => {
  lookup(hostname, { ...options, all: true }, (error, addresses) => {
    const allowed = error === null ? addresses.filter(({ address }) => isProbeable(address)) : [];
    const [first] = allowed;
    if (first === undefined) {
      const reason = error ?? Object.assign(new Error(`${hostname} must not be called`), { code: 'EACCES' });
      callback(reason, []);
    } else if (options.all === true) callback(null, allowed);
    else callback(null, first.address, first.family satisfies LookupAddress['family']);
  });
};

/** Whether the host may be called: of an address, which nobody looks up, at once; of a name, {@link probeLookup} finds out. */
export function mayConnect(host: string): boolean {
  return isIP(host) === 0 || isProbeable(host);
}
