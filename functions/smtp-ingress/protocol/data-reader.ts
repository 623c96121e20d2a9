/** The octets after 354, up to the final dot (RFC 5321 §4.1.1.4, §4.5.2). */

export interface DataReaderOptions {
  /** Octets of a line with its CRLF. */
  maximumLine: number
  /** What to do with a bare CR, a bare LF and NUL. */
  unlawfulOctets: 'Refuse' | 'Normalise'
}

export type DataFault = 'UnlawfulOctets' | 'LineTooLong'

export class DataReader {
  constructor(_options: DataReaderOptions) {}

  /** What is wrong with the message, once something is. */
  get fault(): DataFault | null {
    return null
  }

  /**
   * Reads `chunk` from `from` on, and hands over what of it is content, without the dots that SMTP adds.
   * @returns where in the chunk the commands go on behind the final dot, or -1 when the message goes on
   */
  read(_chunk: Buffer, _from: number, _take: (octets: Buffer) => void): number {
    throw new Error('not written yet')
  }
}
