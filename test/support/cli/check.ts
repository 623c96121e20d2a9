/** Runs `check` and finds lines of its output. */
import assert from 'node:assert/strict'
import { createPki, type Identity, type LeafOptions } from '../pki.ts'
import { type CommandOptions, type CommandResult, mailflow } from './mailflow.ts'

export interface CheckResult extends CommandResult {
  /** Returns the only line of a check; with `subject`, of the check of one certificate. */
  line(check: string, subject?: string): string
  lines(check: string, subject?: string): string[]
}

export async function runCheck(...args: string[]): Promise<CheckResult> {
  return runCheckWith({}, ...args)
}

export async function runCheckWith(around: CommandOptions, ...args: string[]): Promise<CheckResult> {
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
export const createIdentity = async (options: Partial<LeafOptions> = {}): Promise<Identity> =>
  (await createPki()).issue({ names: ['mx.partner.example'], ...options })
