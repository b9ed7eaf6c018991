/**
 * Reads one address, several, or several in one text (`http://a:3000,http://b:3000`, as an environment variable holds them).
 * All of them are servers of one registry, so they share a scheme. Throws a RangeError that never repeats credentials.
 */
export function readServerUrls(serverUrl: string | readonly string[]): readonly URL[] {
  const texts = typeof serverUrl === 'string' ? split(serverUrl) : serverUrl;
  const urls = texts.map((text) => readServerUrl(text));
  const [first] = urls;
  if (first === undefined) throw new RangeError('discoveryClient: serverUrl must name a server, got none');
  const stranger = urls.find(({ protocol }) => schemeFamily(protocol) !== schemeFamily(first.protocol));
  if (stranger !== undefined) {
    throw new RangeError(
      `discoveryClient: serverUrl must name servers of one kind, got ${first.protocol} and ${stranger.protocol}`,
    );
  }
  return urls;
}

/** `http://host/base/` as what paths are appended to: no query, no trailing slash. */
export function baseUrl({ origin, pathname }: URL): string {
  return (origin + pathname).replace(/\/+$/, '');
}

/** A comma parts two servers where a scheme follows; a static list has commas, and even schemes, of its own. */
function split(text: string): readonly string[] {
  if (/^static:/i.test(text)) return [text];
  return text.split(/,\s*(?=[a-z][a-z0-9+.-]*:\/\/)/i);
}

function readServerUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined) {
    throw new RangeError(`discoveryClient: serverUrl must be a URL, got ${text}`);
  }
  if (url.username !== '' || url.password !== '') {
    throw new RangeError('discoveryClient: serverUrl must not carry credentials, use the option token');
  }
  return url;
}

/** `http` and `https` may be mixed, and so may `consul` and `consul+https`. */
function schemeFamily(protocol: string): string {
  return protocol.replace(/\+?https?(?=:)/, '');
}
