/** Runs `check` and finds lines of its output. */
import assert from 'node:assert/strict'
import { createPki, type Identity, type LeafOptions } from '../pki.ts'
import { type Around, type Ended, mailflow } from './mailflow.ts'

export interface Checked extends Ended {
  /** Returns the only line of a check; with `subject`, of the check of one certificate. */
  line(check: string, subject?: string): string
  lines(check: string, subject?: string): string[]
}

export async function checked(...args: string[]): Promise<Checked> {
  return checkedIn({}, ...args)
}

export async function checkedIn(around: Around, ...args: string[]): Promise<Checked> {
  const ended = await mailflow(['check', ...args], around)
  const lines = (check: string, subject?: string) =>
    ended.out
      .split('\n')
      .filter((each) => new RegExp(`^(OK|WARN|FAIL) +${check} `).test(each))
      .filter((each) => subject === undefined || each.includes(` ${subject}: `))
  return {
    ...ended,
    lines,
    line(check, subject) {
      const [firstLine, ...furtherLines] = lines(check, subject)
      assert.ok(firstLine !== undefined, `no line of ${check} in\n${ended.out}${ended.err}`)
      assert.deepEqual(furtherLines, [])
      return firstLine
    },
  }
}

/** Creates a certificate of an authority that is in no trust store. */
export const identityOf = async (options: Partial<LeafOptions> = {}): Promise<Identity> =>
  (await createPki()).issue({ names: ['mx.partner.example'], ...options })
