/**
 * Builds a DSN that is no larger than a limit. It names as many recipients as fit, and returns the few header fields by
 * which a person recognises the message. Returns null when not even one recipient fits.
 */
import type { BounceJob } from '../../contract/jobs.ts'
import { buildDsn, type Dsn } from './dsn.ts'
import type { OriginalContent } from './returned-part.ts'

type Original = Omit<OriginalContent, 'smtpUtf8'> | null

export interface FittingDsn {
  dsn: Dsn
  /** Whether the DSN names every recipient. */
  isComplete: boolean
}

/** @param header the header section of the message; null when its content is deleted */
export function fitDsn(
  job: BounceJob,
  hostname: string,
  header: Buffer | null,
  maxOctets: number,
): FittingDsn | null {
  const shortened: Original = header && { kind: 'Headers', octets: recognisableFields(header) }
  const build = (original: Original, listed: number) => buildDsn(job, hostname, original, listed)
  const total = job.recipients.length
  const whole = build(shortened, total)
  if (whole.octets.length <= maxOctets) return { dsn: whole, isComplete: true }
  let [fitting, tooMany]: [FittingDsn | null, number] = [null, total + 1]
  for (let low = 0; tooMany - low > 1; ) {
    const listed = Math.floor((low + tooMany) / 2)
    const dsn = build(null, listed)
    if (dsn.octets.length <= maxOctets) [fitting, low] = [{ dsn, isComplete: listed === total }, listed]
    else tooMany = listed
  }
  return fitting
}

const recognisable = /^(?:from|to|subject|date|message-id)[ \t]*:/i
const maxFieldOctets = 300

/** Returns the fields by which the author recognises the message, without their folded lines. */
function recognisableFields(header: Buffer): Buffer {
  const lines = header.toString('latin1').split('\r\n')
  const fields = lines.filter((line) => recognisable.test(line) && line.length <= maxFieldOctets)
  return Buffer.from(fields.map((line) => `${line}\r\n`).join(''), 'latin1')
}
