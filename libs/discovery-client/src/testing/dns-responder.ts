/// <reference types="node" />
import DNS from 'dns2';

/** What the responder knows: records by name. */
export interface Zone {
  readonly a?: Readonly<Record<string, readonly string[]>>;
  readonly aaaa?: Readonly<Record<string, readonly string[]>>;
  readonly srv?: Readonly<
    Record<string, readonly { priority: number; weight: number; port: number; target: string }[]>
  >;
}

interface BitWriter {
  write(value: number, bits: number): void;
}

// dns2 3.0.0 compresses the target of SRV records, which RFC 2782 forbids and the resolver of Node refuses.
const { SRV: srvCodec } = DNS.Packet.Resource as unknown as { readonly SRV: object };
Object.assign(srvCodec, {
  encode: (
    record: { priority: number; weight: number; port: number; target: string },
    writer: BitWriter,
  ): void => {
    const labels = [...record.target.split('.'), ''].map((label) => Buffer.from(label));
    for (const value of [record.priority, record.weight, record.port]) writer.write(value, 16);
    for (const label of labels) for (const byte of [label.length, ...label]) writer.write(byte, 8);
  },
});

const refused = 5;
const noSuchName = 3;

/** A DNS server on loopback, over UDP. */
export class DnsResponder {
  zone: Zone = {};
  /** Seconds. */
  ttl = 5;
  mode: 'up' | 'silent' | 'refused' = 'up';
  readonly asked: string[] = [];
  readonly #server = DNS.createServer({
    udp: true,
    handle: (request, send) => {
      const [question] = request.questions as { name: string; type: number }[];
      const response = DNS.Packet.createResponseFromRequest(request);
      if (question === undefined || this.mode === 'silent') return;
      this.asked.push(question.name);
      if (this.mode === 'refused') response.header.rcode = refused;
      else this.#answer(question, response);
      void send(response);
    },
  });

  /** The address to ask, for `dns://`. */
  async listen(): Promise<string> {
    const { udp } = await this.#server.listen({ udp: { port: 0, address: '127.0.0.1' } });
    return `127.0.0.1:${udp?.port ?? 0}`;
  }

  close(): Promise<void> {
    return this.#server.close();
  }

  #answer({ name, type }: { name: string; type: number }, response: InstanceType<typeof DNS.Packet>): void {
    const { A, AAAA, SRV } = DNS.Packet.TYPE;
    const { a = {}, aaaa = {}, srv = {} } = this.zone;
    const common = { name, type, class: DNS.Packet.CLASS.IN, ttl: this.ttl };
    const addresses = (type === A && a[name]) || (type === AAAA && aaaa[name]) || [];
    for (const address of addresses) response.answers.push({ ...common, address } as never);
    if (type === SRV)
      for (const record of srv[name] ?? []) response.answers.push({ ...common, ...record } as never);
    const isKnown = [a, aaaa, srv].some((records) => Object.hasOwn(records, name));
    if (!isKnown) response.header.rcode = noSuchName;
  }
}
