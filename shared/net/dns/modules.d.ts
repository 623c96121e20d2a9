/** The types of dns-packet that mailflow uses; the package contains no types. */
declare module 'dns-packet' {
  namespace packet {
    interface Question {
      name: string
      type: string
    }
    interface Record {
      name: string
      type: string
      ttl: number
      data: unknown
    }
    /** EDNS (RFC 6891 §6.1). */
    interface Options {
      type: 'OPT'
      name: '.'
      udpPayloadSize?: number
      extendedRcode?: number
      flags?: number
      options?: { code: number; data: Buffer }[]
    }
    interface Packet {
      id: number
      type: string
      flags: number
      questions: Question[]
      answers: Record[]
      additionals: { type: string; udpPayloadSize?: number; flags?: number }[]
    }
    interface Query {
      type: 'query'
      id: number
      flags: number
      questions: Question[]
      additionals?: Options[]
    }
    interface Reply {
      type: 'response'
      id: number
      flags: number
      questions: Question[]
      answers: Record[]
      authorities: Record[]
      additionals?: Options[]
    }
    interface Codec<T> {
      decode: ((buffer: Buffer, offset: number) => T) & { bytes: number }
    }
  }
  const packet: {
    encode(packet: packet.Query | packet.Reply): Buffer
    decode(buffer: Buffer): packet.Packet
    streamEncode(packet: packet.Query | packet.Reply): Buffer
    /** `decode.bytes`: octets of the last name decoded. */
    readonly name: packet.Codec<string>
    /** Decodes a record's data, starting at its length. */
    record(type: string): packet.Codec<unknown>
    readonly AUTHORITATIVE_ANSWER: number
    readonly TRUNCATED_RESPONSE: number
    readonly RECURSION_DESIRED: number
    readonly RECURSION_AVAILABLE: number
    readonly AUTHENTIC_DATA: number
    readonly CHECKING_DISABLED: number
    readonly DNSSEC_OK: number
  }
  export = packet
}
