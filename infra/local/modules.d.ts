/** Types of the emulators and codecs that bring none, as far as they are used here. */
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
    interface Packet {
      id: number
      type: string
      questions: Question[]
      additionals: { type: string; udpPayloadSize?: number }[]
    }
    interface Reply {
      type: 'response'
      id: number
      flags: number
      questions: Question[]
      answers: Record[]
      authorities: Record[]
    }
  }
  const packet: {
    encode(packet: packet.Reply): Buffer
    decode(buffer: Buffer): packet.Packet
    streamEncode(packet: packet.Reply): Buffer
    readonly TRUNCATED_RESPONSE: number
    readonly RECURSION_DESIRED: number
    readonly RECURSION_AVAILABLE: number
    readonly AUTHENTIC_DATA: number
  }
  export = packet
}

declare module 'dynalite' {
  import type { Server } from 'node:http'
  /** Tables live in memory, or in a LevelDB at `path`. */
  export default function dynalite(options: { path?: string; createTableMs?: number }): Server
}
