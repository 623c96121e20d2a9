/** Finds the DMARC policy that a domain without a record of its own inherits (RFC 9989 §4.10). Pure. */
import type { DmarcAnswer, DmarcWalk } from '../facts/dmarc-tree-walk.ts'
import { type DmarcRecord, isDmarc, readDmarcRecord } from './dmarc-record.ts'
import { recordsOf } from './record-finding.ts'

export type ParentPolicy =
  /** `domain`: the organisational domain. */
  | { kind: 'Organisation'; domain: string; text: string; record: DmarcRecord }
  /** The record is that of a public suffix, whose operator gets the reports. */
  | { kind: 'PublicSuffix'; domain: string }
  | { kind: 'NoRecord' }
  | Extract<DmarcAnswer['answer'], { kind: 'Failed' }>

export function findParentPolicy([start, ...parents]: DmarcWalk): ParentPolicy {
  let last: Extract<ParentPolicy, { kind: 'Organisation' }> | null = null
  for (const { domain, answer } of parents) {
    // A record that was found is kept: its parent is seldom the organisational domain.
    if (answer.kind === 'Failed') return last ?? answer
    const [text, ...others] = recordsOf(answer).filter(isDmarc)
    if (text === undefined || others.length > 0) continue
    const found = { kind: 'Organisation' as const, domain, text, record: readDmarcRecord(text) }
    if (found.record.psd === 'n') return found
    if (found.record.psd === 'y') {
      const labels = domain.split('.').length + 1
      const organisation = start.domain.split('.').slice(-labels).join('.')
      return last?.domain === organisation ? last : { kind: 'PublicSuffix', domain }
    }
    last = found
  }
  return last ?? { kind: 'NoRecord' }
}
