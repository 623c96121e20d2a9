/**
 * Shows planned changes, asks, and writes them: the part that `connectors apply` and the commands for one connector
 * share. A plan is made from one version of the configuration, and is written only at that version.
 */
import { comparableName } from '../../shared/connectors/comparable-name.ts'
import { weakenedRequirements } from '../../shared/policy/change-effects.ts'
import { countText, firstNames } from '../../shared/policy/text-lists.ts'
import type { ApiClient } from '../api/api-client.ts'
import { type Io, jsonOption } from '../command.ts'
import { CommandError, type ExitStatus, exitStatus, UsageError } from '../command-error.ts'
import { confirm, yesOption } from '../input/confirm.ts'
import { jsonText, printable } from '../text/format.ts'
import { applyChanges, labelOf, type WaitingResult } from './apply-changes.ts'
import { type ConfigurationWarning, collectWarnings } from './configuration-warnings.ts'
import { diffText } from './diff-text.ts'
import { effectsOf } from './effects-of-change.ts'
import { type Change, isWritten } from './plan-changes.ts'
import { type Gateway, readGateway, readGatewaySettings } from './read-current-configuration.ts'
import { totalText } from './request-for-mail.ts'
import {
  chooseForWaiting,
  findHeldMail,
  findLoweringChanges,
  heldText,
  type LoweringChange,
  parseWaitingChoice,
  waitingOption,
  waitingText,
} from './waiting-mail.ts'
import { warningTexts } from './warning-text.ts'

export const changeOptions = {
  'dry-run': {
    type: 'boolean',
    description: 'only show the differences, write nothing; exit status 3 if there are differences',
  },
  'if-version': {
    type: 'string',
    value: 'N',
    description: 'write only if the configuration still has version N, which a dry run prints',
  },
  ...yesOption,
  ...waitingOption,
  ...jsonOption,
} as const

interface ChangeValues {
  readonly 'dry-run': boolean
  readonly 'if-version': string | undefined
  readonly yes: boolean
  readonly waiting: string | undefined
  readonly json: boolean
}

/** @throws CommandError when the plan cannot be made, such as for a fault in a file */
export type Plan = (gateway: Gateway) => readonly Change[]

/** Returns the question before the changes are written; null for none. */
export type Question = (changes: readonly Change[]) => string | null

/** @throws CommandError when the changes were not written, or not all */
export async function makeChanges(
  plan: Plan,
  question: Question,
  values: ChangeValues,
  { api, io }: { api: ApiClient; io: Io },
): Promise<ExitStatus> {
  const choice = parseWaitingChoice(values.waiting)
  const expectedVersion = parseVersion(values['if-version'])
  const print = values.json ? () => {} : io.out
  const gateway = await readGateway(api)
  const changes = plan(gateway)
  print(`${diffText(changes)}\n\n`)
  if (expectedVersion !== undefined && expectedVersion !== gateway.version && changes.some(isWritten))
    throw changedError(expectedVersion, gateway.version)
  const warnings = collectWarnings(changes, gateway, new Date(io.now()))
  for (const text of warningTexts(warnings)) io.err(`${text}\n`)
  const lowering = await findLoweringChanges(api, changes, io.now())
  for (const held of await findHeldMail(api, changes, io.now())) print(`${heldText(held)}\n\n`)
  const waiting = lowering.filter(({ messages }) => messages > 0)
  const dryRun = values['dry-run']
  let results: WaitingResult[] = []
  if (dryRun)
    for (const each of waiting)
      print(`${waitingText(each)}${choice === undefined ? '; --waiting is then required' : ''}.\n\n`)
  else {
    const choices = await chooseForWaiting(lowering, choice, io)
    const asked = values.yes ? null : question(changes)
    if (asked !== null) await confirm(asked, io)
    if (changes.some(isWritten)) await checkVersion(gateway, plan, print, api)
    results = await applyChanges(api, changes, choices, io)
  }
  for (const { connector, ...total } of results)
    print(`${totalText('return', { kind: 'outbound connector', name: connector, ...total })}\n`)
  print(`${summaryText(changes, dryRun ? gateway.version : null)}\n`)
  if (values.json)
    io.out(
      jsonText({ basedOnVersion: gateway.version, ...report(changes, !dryRun, warnings, waiting, results) }),
    )
  return dryRun && changes.some(isWritten) ? exitStatus.differences : exitStatus.ok
}

/** @throws UsageError */
function parseVersion(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  if (/^\d{1,15}$/.test(text)) return Number(text)
  throw new UsageError(`--if-version ${text}: not a version, which is a whole number`)
}

/**
 * Compares the version with that of the plan, just before the first write. A write between this check and ours is
 * refused when it concerns the same entry (If-Match).
 * @throws CommandError after showing the new differences
 */
async function checkVersion(
  { version }: Gateway,
  plan: Plan,
  print: (text: string) => void,
  api: ApiClient,
): Promise<void> {
  if ((await readGatewaySettings(api)).version === version) return
  const now = await readGateway(api)
  print(`${diffText(plan(now))}\n\n`)
  throw changedError(version, now.version)
}

const changedError = (expected: number, actual: number): CommandError =>
  new CommandError(
    `the configuration changed: it has version ${actual}, and the differences were to be written to version ${expected}. Nothing was written`,
    [`The last differences above are the current ones. If they are right: --if-version ${actual}`],
  )

/** The names; with the kind where two entries have the same name. */
function titlesOf(changes: readonly Change[]): string[] {
  const byName = Map.groupBy(changes, (change) => comparableName(labelOf(change)))
  return changes.map((change) => {
    const label = printable(labelOf(change))
    const isShared = (byName.get(comparableName(labelOf(change))) ?? []).length > 1
    return isShared ? `${change.entryKind.singular} ${label}` : label
  })
}

/** Asks only for changes after which less is required, or an entry is missing. */
export function loweringQuestion(changes: readonly Change[]): string | null {
  const removed = titlesOf(changes.filter(({ kind }) => kind === 'Remove'))
  const weakened = titlesOf(changes.filter(isWeakened))
  const clauses = [
    ...(removed.length === 0 ? [] : [`remove ${entriesText(removed)}`]),
    ...(weakened.length === 0 ? [] : [`weaken the requirements of ${entriesText(weakened)}`]),
  ]
  return clauses.length === 0 ? null : capitalised(clauses.join(' and '))
}

const entriesText = (names: readonly string[]): string =>
  `${countText(names.length, 'entry', 'entries')} (${firstNames(names, maxNamesInQuestion)})`

const capitalised = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1)

const isWeakened = (change: Change): boolean =>
  change.kind === 'Replace' && weakenedRequirements(change.fields).length > 0

/** The list of differences above the question has all names, but not with --json. */
const maxNamesInQuestion = 10

export function changeQuestion(changes: readonly Change[]): string | null {
  const names = titlesOf(changes.filter(isWritten))
  if (names.length === 0) return null
  return (
    loweringQuestion(changes) ??
    `Change ${countText(names.length, 'connector')} (${firstNames(names, maxNamesInQuestion)})`
  )
}

/** @param dryRunVersion the version that a dry run read; null when the changes were written */
function summaryText(changes: readonly Change[], dryRunVersion: number | null): string {
  const count = (...kinds: Change['kind'][]) => changes.filter(({ kind }) => kinds.includes(kind)).length
  const notInFileCount = count('NotInFile')
  const notInFileText = notInFileCount === 0 ? '' : `; ${notInFileCount} not in the file, kept`
  if (!changes.some(isWritten)) return `No differences${notInFileText}.`
  const weakenedChanges = changes.filter(isWeakened)
  const weakenedText =
    weakenedChanges.length === 0 ? '' : ` (${weakenedChanges.length} with weaker requirements)`
  const countsText = [
    countText(count('Create'), 'new', 'new'),
    `${countText(count('Replace'), 'changed', 'changed')}${weakenedText}`,
    countText(count('Remove'), 'removed', 'removed'),
  ].join(', ')
  if (dryRunVersion === null) return `Applied: ${countsText}${notInFileText}.`
  return `Dry run, nothing was written: ${countsText}${notInFileText}.\nTo write exactly this: the same command with --if-version ${dryRunVersion}, without --dry-run.`
}

function report(
  changes: readonly Change[],
  applied: boolean,
  warnings: readonly ConfigurationWarning[],
  waiting: readonly LoweringChange[],
  results: readonly WaitingResult[],
) {
  return {
    applied,
    changes: changes.map((change) => ({
      kind: change.kind,
      of: change.entryKind.name,
      name: labelOf(change),
      ...(change.kind === 'Replace' && { fields: change.fields }),
      effects: effectsOf(change),
      isWeaker: change.kind === 'Remove' || isWeakened(change),
    })),
    warnings,
    waiting: waiting.map(({ change, lowered, messages }) => ({
      name: change.current.label,
      lowered,
      messages,
    })),
    requested: results,
  }
}
