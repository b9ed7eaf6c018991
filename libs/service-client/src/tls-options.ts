/** How instances are called whose metadata says `scheme: 'https'`; what is left out is Node's default. */
export interface TlsOptions {
  /** Certificates that are trusted in place of the system's. */
  readonly ca?: string | Buffer | (string | Buffer)[];
  /** The client's own certificate and key, for mutual TLS. */
  readonly cert?: string | Buffer | (string | Buffer)[];
  readonly key?: string | Buffer;
  /** The name that certificates must have (default: the instance's host). */
  readonly servername?: string;
  /** false takes any certificate: for tests only (default true). */
  readonly rejectUnauthorized?: boolean;
}
